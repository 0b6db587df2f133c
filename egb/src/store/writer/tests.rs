use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc;

use super::worker::{CHUNK, MAX_BATCH};
use super::*;
use crate::store::testing::{change, disablement, logged, name};

mod life;

/// So long that a test which waits for it has failed.
const NEVER: Duration = Duration::from_hours(1);
/// Long enough for a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_mins(1);
const SOON: Duration = Duration::from_millis(1);

/// Nothing happens by itself.
const STILL: Timing =
    Timing { group: NEVER, look: NEVER, first_retry: NEVER, longest_retry: NEVER, ack: LIMIT, flush: LIMIT };
/// What has to be written is written at once.
const FAST: Timing = Timing { group: SOON, first_retry: SOON, longest_retry: SOON, ..STILL };

#[derive(Default)]
struct Pending {
    waiting: Mutex<VecDeque<Change>>,
    committed: Mutex<Vec<Change>>,
    commit: Condvar,
    merged: Mutex<Vec<Record>>,
    longest_chunk: Mutex<usize>,
}

impl Pending {
    fn with(changes: impl IntoIterator<Item = Change>) -> Arc<Self> {
        let journal = Self::default();
        journal.waiting.lock().extend(changes);
        Arc::new(journal)
    }

    fn add(&self, change: Change) {
        self.waiting.lock().push_back(change);
    }
}

impl Journal for Pending {
    fn set_added(&self, _: Vec<KeyConfig>) {}
    fn rewrite(&self) {}
    fn drain(&self, batch: &mut Vec<Change>, max: usize) -> bool {
        let mut pending = self.waiting.lock();
        let count = pending.len().min(max);
        batch.extend(pending.drain(..count));
        !pending.is_empty()
    }
    fn committed(&self, batch: &[Change]) {
        self.committed.lock().extend_from_slice(batch);
        self.commit.notify_all();
    }
    fn rejected(&self, batch: &[Change]) {
        self.waiting.lock().extend(batch.iter().cloned());
    }
    fn merge(&self, records: &[Record]) {
        self.merged.lock().extend_from_slice(records);
        let mut longest = self.longest_chunk.lock();
        *longest = records.len().max(*longest);
    }
}

/// What a store does when it is called: the test decides, and is told of each call.
#[derive(Debug)]
struct Scripted {
    applied: mpsc::Sender<usize>,
    looked: mpsc::Sender<()>,
    /// Whether the disk is full, and whether it answers.
    ground: Arc<Ground>,
    others: Vec<Record>,
}

#[derive(Debug, Default)]
struct Ground {
    is_full: AtomicBool,
    is_unreadable: AtomicBool,
    gate: Mutex<()>,
}

impl Ground {
    fn error() -> StoreError {
        let full = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None);
        StoreError::new(Path::new("made-up.db"), StoreErrorKind::Unusable(full))
    }
}

impl Store for Scripted {
    fn was_replaced(&mut self) -> bool {
        false
    }
    fn edit(&mut self, _: &Edit) -> Result<(), StoreError> {
        Ok(())
    }
    fn added_keys(&mut self) -> Result<Option<Vec<KeyConfig>>, StoreError> {
        Ok(None)
    }
    fn path(&self) -> &Path {
        Path::new("made-up.db")
    }
    fn load(&mut self) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }
    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        drop(self.ground.gate.lock());
        // The test may have seen enough.
        let _ = self.applied.send(changes.len());
        if self.ground.is_full.load(Ordering::SeqCst) { Err(Ground::error()) } else { Ok(()) }
    }
    fn changes_by_others(&mut self) -> Result<Vec<Record>, StoreError> {
        let _ = self.looked.send(());
        if self.ground.is_unreadable.load(Ordering::SeqCst) {
            return Err(Ground::error());
        }
        Ok(std::mem::take(&mut self.others))
    }
}

/// A store, and the test's view of it.
struct Bench {
    store: Scripted,
    view: View,
}

struct View {
    applied: mpsc::Receiver<usize>,
    looked: mpsc::Receiver<()>,
    ground: Arc<Ground>,
}

fn bench() -> Bench {
    let ground = Arc::new(Ground::default());
    let ((applied, applied_view), (looked, looked_view)) = (mpsc::channel(), mpsc::channel());
    let store = Scripted { applied, looked, ground: ground.clone(), others: Vec::new() };
    Bench { store, view: View { applied: applied_view, looked: looked_view, ground } }
}

fn start(journal: &Arc<Pending>, timing: Timing) -> (Writer, View) {
    let Bench { store, view } = bench();
    (Writer::spawn_with(store, journal.clone(), timing).unwrap(), view)
}

fn others(keys: usize) -> Vec<Record> {
    let record =
        |key| Record { fingerprint: name(key), scope: None, state: change(key).state, counters: change(key).added };
    (0..keys).map(record).collect()
}

#[test]
fn a_change_is_written_after_wake_without_being_asked() {
    let journal = Pending::with([]);
    let (writer, view) = start(&journal, Timing { group: SOON, ..STILL });
    journal.add(change(1));
    writer.bell().ring();
    assert_eq!(view.applied.recv_timeout(LIMIT), Ok(1));
    journal.add(change(2));
    writer.bell().ring();
    assert_eq!(view.applied.recv_timeout(LIMIT), Ok(1), "and so is the next one");
}

#[test]
fn changes_that_come_together_share_a_transaction() {
    let journal = Pending::with([]);
    let (writer, view) = start(&journal, STILL);
    for key in 0..100 {
        journal.add(change(key));
        writer.bell().ring();
    }
    writer.flush().unwrap();
    assert_eq!(view.applied.try_iter().collect::<Vec<_>>(), [100]);
}

#[test]
fn a_disablement_is_written_at_once() {
    let journal = Pending::with([]);
    let (writer, _view) = start(&journal, STILL);
    journal.add(change(1));
    writer.bell().ring();
    journal.add(disablement(2));
    writer.bell().save().wait();
    assert_eq!(*journal.committed.lock(), [change(1), disablement(2)]);
}

#[test]
fn flush_returns_when_all_is_on_disk() {
    let journal = Pending::with((0..10_000).map(change));
    let (writer, view) = start(&journal, STILL);
    writer.flush().unwrap();
    assert_eq!(journal.committed.lock().len(), 10_000);
    assert_eq!(view.applied.try_iter().count(), 1, "one transaction");
    writer.flush().unwrap();
    assert_eq!(view.applied.try_iter().count(), 0, "nothing is written for nothing");
}

#[test]
fn a_very_large_pool_is_written_in_several_transactions_before_flush_returns() {
    let keys = 2 * MAX_BATCH + 1;
    let journal = Pending::with(std::iter::repeat_n(change(1), keys));
    let (writer, view) = start(&journal, STILL);
    writer.flush().unwrap();
    assert_eq!(view.applied.try_iter().collect::<Vec<_>>(), [MAX_BATCH, MAX_BATCH, 1]);
}

#[test]
fn dropping_the_writer_writes_what_is_pending_and_ends_the_thread() {
    let journal = Pending::with([change(1)]);
    let (writer, view) = start(&journal, STILL);
    drop(writer.bell().save());
    drop(writer);
    assert_eq!(journal.committed.lock().len(), 1);
    assert_eq!(Arc::strong_count(&journal), 1, "the thread gave its journal back");
    // The store, and with it the sender, is gone.
    while view.looked.recv_timeout(LIMIT).is_ok() {}
    assert_eq!(view.looked.recv_timeout(LIMIT), Err(mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn changes_by_others_are_brought_in_while_nothing_happens_here() {
    let journal = Pending::with([]);
    let Bench { mut store, view } = bench();
    store.others = others(3 * CHUNK);
    let _writer = Writer::spawn_with(store, journal.clone(), Timing { look: SOON, ..STILL }).unwrap();
    for _ in 0..3 {
        assert_eq!(view.looked.recv_timeout(LIMIT), Ok(()));
    }
    assert_eq!(*journal.merged.lock(), others(3 * CHUNK));
    assert_eq!(*journal.longest_chunk.lock(), CHUNK, "the pool is not locked for all of them at once");
}

#[test]
fn changes_by_others_are_brought_in_before_own_ones_are_taken() {
    /// Takes back what is pending when it hears of others, as a pool does for a key that it gave up.
    struct Obedient(Pending);
    impl Journal for Obedient {
        fn set_added(&self, _: Vec<KeyConfig>) {}
        fn rewrite(&self) {}
        fn drain(&self, batch: &mut Vec<Change>, max: usize) -> bool {
            self.0.drain(batch, max)
        }
        fn committed(&self, batch: &[Change]) {
            self.0.committed(batch);
        }
        fn rejected(&self, batch: &[Change]) {
            self.0.rejected(batch);
        }
        fn merge(&self, records: &[Record]) {
            self.0.waiting.lock().retain(|change| records.iter().all(|other| other.fingerprint != change.fingerprint));
        }
    }
    let Bench { mut store, view } = bench();
    store.others = others(1);
    let journal = Arc::new(Obedient(Pending::default()));
    journal.0.add(change(0));
    journal.0.add(change(1));
    let writer = Writer::spawn_with(store, journal.clone(), STILL).unwrap();
    writer.flush().unwrap();
    assert_eq!(*journal.0.committed.lock(), [change(1)]);
    drop(view);
}

#[test]
fn a_failing_store_loses_nothing_and_is_tried_until_it_is_well() {
    let journal = Pending::with([]);
    let (writer, view) = start(&journal, FAST);
    view.ground.is_full.store(true, Ordering::SeqCst);
    journal.add(change(1));
    writer.bell().ring();
    for _ in 0..5 {
        assert_eq!(view.applied.recv_timeout(LIMIT), Ok(1), "the same change, again and again, unasked");
    }
    let error = writer.flush().unwrap_err();
    assert!(matches!(error.kind(), StoreErrorKind::Unusable(_)), "{error}");
    journal.add(change(2));
    writer.bell().ring();
    assert_eq!(*journal.committed.lock(), []);
    view.ground.is_full.store(false, Ordering::SeqCst);
    writer.flush().unwrap();
    let mut committed = journal.committed.lock().clone();
    committed.sort_by_key(|written| written.fingerprint != name(1));
    assert_eq!(committed, [change(1), change(2)]);
}

#[test]
fn what_failed_is_written_unasked_once_the_ground_is_good_again() {
    let journal = Pending::with([]);
    let (writer, view) = start(&journal, FAST);
    view.ground.is_full.store(true, Ordering::SeqCst);
    journal.add(change(1));
    writer.bell().ring();
    assert_eq!(view.applied.recv_timeout(LIMIT), Ok(1));
    view.ground.is_full.store(false, Ordering::SeqCst);
    let mut committed = journal.committed.lock();
    journal.commit.wait_while_for(&mut committed, |committed| committed.is_empty(), LIMIT);
    assert_eq!(*committed, [change(1)]);
    drop(committed);
    drop(writer);
}

#[test]
fn an_outage_that_is_waited_out_does_not_keep_a_disablement_waiting() {
    let journal = Pending::with([change(1)]);
    let (writer, view) = start(&journal, STILL);
    view.ground.is_full.store(true, Ordering::SeqCst);
    writer.flush().unwrap_err();
    view.ground.is_full.store(false, Ordering::SeqCst);
    journal.add(disablement(2));
    writer.bell().save().wait();
    assert_eq!(journal.committed.lock().len(), 2);
}

#[test]
fn an_outage_is_told_once_and_so_is_its_end() {
    let Bench { store, view } = bench();
    let (writer, _other_view) = start(&Pending::with([]), STILL);
    let mut worker = Worker::new(writer.shared.clone(), store, Pending::with([change(1)]));
    view.ground.is_full.store(true, Ordering::SeqCst);
    view.ground.is_unreadable.store(true, Ordering::SeqCst);
    let lines = logged(|| {
        for _ in 0..3 {
            worker.write().unwrap_err();
            worker.read();
        }
    });
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("WARN") && lines[0].contains("can't write") && lines[0].contains("made-up.db"));
    assert!(lines[1].starts_with("WARN") && lines[1].contains("can't read"));
    view.ground.is_full.store(false, Ordering::SeqCst);
    view.ground.is_unreadable.store(false, Ordering::SeqCst);
    let lines = logged(|| {
        worker.write().unwrap();
        worker.read();
        worker.read();
    });
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.starts_with("INFO") && line.contains("again")), "{lines:?}");
    drop(view);
}

#[test]
fn waits_after_failures_double_up_to_the_longest() {
    let timing = Timing { first_retry: Duration::from_millis(100), longest_retry: Duration::from_secs(1), ..STILL };
    let waits: Vec<_> = std::iter::successors(Some(timing.retry(None)), |&last| Some(timing.retry(Some(last))))
        .take(6)
        .map(|wait| wait.as_millis())
        .collect();
    assert_eq!(waits, [100, 200, 400, 800, 1_000, 1_000]);
}

#[test]
fn a_disk_that_hangs_holds_no_call_for_ever() {
    let journal = Pending::with([disablement(1)]);
    let (writer, view) = start(&journal, Timing { ack: Duration::from_millis(20), flush: SOON, ..STILL });
    let hanging = view.ground.gate.lock();
    let lines = logged(|| writer.bell().save().wait());
    assert!(matches!(&lines[..], [one] if one.contains("before its disablement")), "{lines:?}");
    assert!(matches!(writer.flush().unwrap_err().kind(), StoreErrorKind::Slow));
    drop(writer);
    drop(hanging);
    // The thread that was left behind still writes when the disk answers.
    assert_eq!(view.applied.recv_timeout(LIMIT), Ok(1));
}
