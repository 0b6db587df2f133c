//! What becomes of the thread that writes: where code of others panics on it, where it is asked to wait for itself, and after
//! its end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

use super::*;

/// Panics when it is asked for changes, as long as it is broken.
struct Broken {
    inner: Pending,
    is_broken: AtomicBool,
}

impl Journal for Broken {
    fn set_added(&self, _: Vec<KeyConfig>) {}
    fn rewrite(&self) {}
    fn drain(&self, batch: &mut Vec<Change>, max: usize) -> bool {
        assert!(!self.is_broken.load(Ordering::SeqCst), "as asked");
        self.inner.drain(batch, max)
    }
    fn committed(&self, batch: &[Change]) {
        self.inner.committed(batch);
    }
    fn rejected(&self, batch: &[Change]) {
        self.inner.rejected(batch);
    }
    fn merge(&self, records: &[Record]) {
        self.inner.merge(records);
        assert!(!self.is_broken.load(Ordering::SeqCst), "as asked");
    }
}

#[test]
fn a_panic_on_the_thread_is_told_to_those_who_wait_and_does_not_end_it() {
    let journal = Arc::new(Broken { inner: Pending::default(), is_broken: AtomicBool::new(true) });
    journal.inner.add(change(1));
    let Bench { mut store, view } = bench();
    store.others = others(2 * CHUNK);
    let writer = Writer::spawn_with(store, journal.clone(), STILL).unwrap();
    for _ in 0..2 {
        let error = writer.flush().unwrap_err();
        assert!(matches!(error.kind(), StoreErrorKind::Panicked), "{error}");
    }
    assert_eq!(journal.inner.merged.lock().len(), 2 * CHUNK, "one panic loses nothing that follows");
    let lines = logged(|| writer.bell().save().wait());
    assert!(lines.is_empty(), "{lines:?}");
    journal.is_broken.store(false, Ordering::SeqCst);
    writer.flush().unwrap();
    assert_eq!(*journal.inner.committed.lock(), [change(1)]);
    drop(view);
}

#[test]
fn what_a_panic_kept_from_the_disk_is_pending_again() {
    #[derive(Debug)]
    struct Jumpy(Scripted);
    impl Store for Jumpy {
        fn was_replaced(&mut self) -> bool {
            false
        }
        fn edit(&mut self, _: &Edit) -> Result<(), StoreError> {
            panic!("as asked")
        }
        fn added_keys(&mut self) -> Result<Option<Vec<KeyConfig>>, StoreError> {
            Ok(None)
        }
        fn path(&self) -> &Path {
            self.0.path()
        }
        fn load(&mut self) -> Result<Vec<Record>, StoreError> {
            self.0.load()
        }
        fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
            self.0.apply(changes).map_err(|error| panic!("{error}"))
        }
        fn changes_by_others(&mut self) -> Result<Vec<Record>, StoreError> {
            self.0.changes_by_others()
        }
    }
    let Bench { store, view } = bench();
    let journal = Pending::with([change(1)]);
    let writer = Writer::spawn_with(Jumpy(store), journal.clone(), STILL).unwrap();
    view.ground.is_full.store(true, Ordering::SeqCst);
    assert!(matches!(writer.flush().unwrap_err().kind(), StoreErrorKind::Panicked));
    assert_eq!(*journal.waiting.lock(), [change(1)]);
    view.ground.is_full.store(false, Ordering::SeqCst);
    assert!(matches!(writer.edit(Edit::Add(Vec::new())).unwrap_err().kind(), StoreErrorKind::Panicked));
    writer.flush().unwrap();
    assert_eq!(*journal.committed.lock(), [change(1)]);
}

#[test]
fn who_comes_after_the_end_of_the_thread_is_told_at_once() {
    let (writer, _view) = start(&Pending::with([]), STILL);
    let (bell, shared) = (writer.bell(), writer.shared.clone());
    drop(writer);
    assert!(matches!(shared.request().wait(LIMIT).unwrap_err().kind(), StoreErrorKind::Stopped));
    let survivor = Writer { shared, thread: None };
    assert!(matches!(survivor.edit(Edit::Add(Vec::new())).unwrap_err().kind(), StoreErrorKind::Stopped));
    let lines = logged(|| bell.save().wait());
    assert!(matches!(&lines[..], [one] if one.contains("before its disablement") && one.contains("has ended")));
    let lines = logged(|| {
        let polled = Pin::new(&mut bell.save()).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready());
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn a_writer_that_is_dropped_on_its_own_thread_does_not_wait_for_itself() {
    /// Holds its own writer, and lets it go when told of changes by others.
    #[derive(Default)]
    struct Owner(Mutex<Option<Writer>>);
    impl Journal for Owner {
        fn set_added(&self, _: Vec<KeyConfig>) {}
        fn rewrite(&self) {}
        fn drain(&self, _: &mut Vec<Change>, _: usize) -> bool {
            false
        }
        fn committed(&self, _: &[Change]) {}
        fn rejected(&self, _: &[Change]) {}
        fn merge(&self, _: &[Record]) {
            let writer = self.0.lock().take();
            drop(writer);
        }
    }
    let Bench { mut store, view } = bench();
    store.others = others(1);
    let journal = Arc::new(Owner::default());
    // The thread can't look for its writer before it is there.
    let mut owned = journal.0.lock();
    let writer = Writer::spawn_with(store, journal.clone(), STILL).unwrap();
    let waiter = writer.shared.request();
    *owned = Some(writer);
    drop(owned);
    waiter.wait(LIMIT).unwrap();
    assert!(journal.0.lock().is_none());
    while view.looked.recv_timeout(LIMIT).is_ok() {}
    assert_eq!(view.looked.recv_timeout(LIMIT), Err(mpsc::RecvTimeoutError::Disconnected), "the thread has ended");
}

#[test]
fn with_sqlite_all_of_it_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("keys.db");
    let open = || crate::store::Sqlite::open(&path).unwrap();
    let (one, two) = (Pending::with((0..2_000).map(change)), Pending::with([]));
    let mut stores = [open(), open()];
    for store in &mut stores {
        store.load().unwrap();
    }
    let [first, second] = stores;
    let writers = [
        Writer::spawn_with(first, one.clone(), STILL).unwrap(),
        Writer::spawn_with(second, two.clone(), STILL).unwrap(),
    ];
    writers[0].flush().unwrap();
    two.add(disablement(3));
    writers[1].bell().save().wait();
    assert_eq!(two.merged.lock().len(), 2_000);
    drop(writers);
    let merged = one.merged.lock();
    assert!(matches!(&merged[..], [theirs] if theirs.state.health.disabled && theirs.counters.calls == 2));
    assert_eq!(open().load().unwrap().len(), 2_000);
}
