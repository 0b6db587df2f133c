//! The hand-over between callers and the writer's thread under the model checker shuttle.

use super::*;
use crate::balancer::Balancer;
use crate::builder::Sources;
use crate::clock::{ManualClock, Timeline, Zone};
use crate::pool::{Pool, Settings};
use crate::reload::Intake;
use crate::store::{Counters, testing};
use crate::sync::explore;

const NEVER: Duration = Duration::from_secs(86_400);
/// Nothing happens because time passes, but that changes are grouped for a while.
const STILL: Timing = Timing {
    group: Duration::from_millis(1),
    look: NEVER,
    first_retry: Duration::from_millis(1),
    longest_retry: Duration::from_millis(1),
    ack: NEVER,
    flush: NEVER,
};

/// A store in memory that fails every so often.
#[derive(Clone, Debug, Default)]
struct Memory {
    applied: Arc<Mutex<Vec<Change>>>,
    attempts: u32,
    fails_every: Option<u32>,
}

impl Store for Memory {
    fn path(&self) -> &Path {
        Path::new("memory")
    }
    fn load(&mut self) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }
    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        self.attempts += 1;
        if self.fails_every.is_some_and(|every| self.attempts % every == 1) {
            return Err(StoreError::new(self.path(), StoreErrorKind::Slow));
        }
        self.applied.lock().extend_from_slice(changes);
        Ok(())
    }
    fn changes_by_others(&mut self) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }
    fn was_replaced(&mut self) -> bool {
        false
    }
    fn edit(&mut self, _: &Edit) -> Result<(), StoreError> {
        Ok(())
    }
    fn added_keys(&mut self) -> Result<Option<Vec<KeyConfig>>, StoreError> {
        Ok(None)
    }
}

/// Changes that wait, and a bell for those who wait for them to be written.
#[derive(Default)]
struct Pending {
    waiting: Mutex<Vec<Change>>,
    committed: Mutex<usize>,
    bell: Condvar,
}

impl Journal for Pending {
    fn set_added(&self, _: Vec<KeyConfig>) {}
    fn rewrite(&self) {}
    fn drain(&self, batch: &mut Vec<Change>, _: usize) -> bool {
        batch.append(&mut self.waiting.lock());
        false
    }
    fn committed(&self, batch: &[Change]) {
        *self.committed.lock() += batch.len();
        self.bell.notify_all();
    }
    fn rejected(&self, batch: &[Change]) {
        self.waiting.lock().extend_from_slice(batch);
    }
    fn merge(&self, _: &[Record]) {}
}

fn start(fails_every: Option<u32>) -> (Arc<Writer>, Arc<Pending>, Memory) {
    let (journal, store) = (Arc::new(Pending::default()), Memory { fails_every, ..Memory::default() });
    let writer = Writer::spawn_with(store.clone(), journal.clone(), STILL).unwrap();
    (Arc::new(writer), journal, store)
}

#[test]
fn what_is_told_is_written_without_anyone_asking() {
    explore(|| {
        let (writer, journal, _store) = start(None);
        let callers: Vec<_> = (0..2)
            .map(|caller| {
                let (writer, journal) = (writer.clone(), journal.clone());
                thread::spawn(move || {
                    for call in 0..2 {
                        journal.waiting.lock().push(testing::change(2 * caller + call));
                        writer.bell().ring();
                    }
                })
            })
            .collect();
        // Nothing but the bell ends this wait: a wake that was lost would be a deadlock.
        let mut committed = journal.committed.lock();
        journal.bell.wait_while(&mut committed, |committed| *committed < 4);
        drop(committed);
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    });
}

#[test]
fn a_disablement_is_written_when_its_wait_ends() {
    explore(|| {
        let (writer, journal, store) = start(None);
        let callers: Vec<_> = (0..3)
            .map(|key| {
                let (writer, journal, store) = (writer.clone(), journal.clone(), store.clone());
                thread::spawn(move || {
                    journal.waiting.lock().push(testing::disablement(key));
                    writer.bell().save().wait();
                    let applied = store.applied.lock();
                    assert!(applied.iter().any(|change| change.fingerprint == testing::name(key)));
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    });
}

#[test]
fn nothing_is_lost_or_doubled_when_writes_fail_and_the_writer_is_dropped() {
    explore(|| {
        let (writer, journal, store) = start(Some(2));
        let callers: Vec<_> = (0..2)
            .map(|caller| {
                let (writer, journal) = (writer.clone(), journal.clone());
                thread::spawn(move || {
                    journal.waiting.lock().push(testing::change(caller));
                    writer.bell().ring();
                    // It may fail; then it is tried again.
                    let _ = writer.flush();
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        drop(Arc::try_unwrap(writer).expect("all others ended"));
        let (written, left) = (store.applied.lock().len(), journal.waiting.lock().len());
        assert_eq!(written + left, 2, "written, or pending after a last write that failed");
    });
}

/// The pool itself as the journal: successes that are counted without its lock race with the writer who collects them.
#[test]
fn successes_without_the_lock_reach_the_store_once() {
    explore(|| {
        let timeline = Timeline::new(Arc::new(ManualClock::new()), Zone::default());
        let configs = ["a".into(), "b".into()].to_vec();
        let pool = Pool::new(configs, Vec::new(), Settings::default(), timeline, true);
        let store = Memory::default();
        let writer = Writer::spawn_with(store.clone(), pool.clone(), STILL).unwrap();
        let intake = Arc::new(Intake::new(pool.clone(), Sources::default(), Some(writer.bell())));
        let balancer = Balancer::new(pool, intake, Some(writer), None);
        let callers: Vec<_> = (0..2)
            .map(|_| {
                let balancer = balancer.clone();
                thread::spawn(move || {
                    for _ in 0..3 {
                        balancer.lease().unwrap().success();
                    }
                })
            })
            .collect();
        balancer.flush().unwrap();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        assert_eq!(balancer.stats().successes(), 6);
        drop(balancer);
        let mut sum = Counters::default();
        store.applied.lock().iter().for_each(|change| sum.add(&change.added));
        assert_eq!((sum.calls, sum.successes), (6, 6));
    });
}
