//! The handle of the thread that writes: how it is started, woken, waited for and ended. What it does is the worker's business.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::worker::Worker;
use super::ack::{self, Ack, Promise, Sentry, Waiter};
use super::{Change, Edit, Record, Store, StoreError, StoreErrorKind, exit};
use crate::config::KeyConfig;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Condvar, Mutex, thread_local};

/// Where changes come from and go to: the pool. Called by the writer's thread alone.
pub(crate) trait Journal: Send + Sync + 'static {
    /// Moves up to `max` pending changes to the end of `batch`; true if more are left.
    fn drain(&self, batch: &mut Vec<Change>, max: usize) -> bool;

    /// The changes are on disk.
    fn committed(&self, batch: &[Change]);

    /// The changes are not on disk: they are pending again.
    fn rejected(&self, batch: &[Change]);

    /// What other processes changed.
    fn merge(&self, records: &[Record]);

    /// The store knows nothing of what was written so far: all of it is pending again.
    fn rewrite(&self);

    /// The keys that were added by hand, whoever did it.
    fn set_added(&self, configs: Vec<KeyConfig>);
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// From the first change to the transaction that it shares with those that follow.
    pub(super) group: Duration,
    /// The longest time between two looks for changes by others is this and `group`.
    pub(super) look: Duration,
    /// The wait after a first failure; it doubles with each one up to `longest_retry`.
    pub(super) first_retry: Duration,
    pub(super) longest_retry: Duration,
    /// How long a call waits for its disablement.
    pub(super) ack: Duration,
    /// How long `flush` and the end of a writer wait: a locked database fails well within it.
    pub(super) flush: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            group: Duration::from_millis(100),
            look: Duration::from_millis(400),
            first_retry: Duration::from_millis(100),
            longest_retry: Duration::from_secs(1),
            ack: Duration::from_secs(5),
            flush: Duration::from_secs(15),
        }
    }
}

impl Timing {
    /// The wait after a failure, given the one after the failure before it.
    fn retry(self, last: Option<Duration>) -> Duration {
        last.map_or(self.first_retry, |last| (last * 2).min(self.longest_retry))
    }
}

thread_local! {
    /// Set on the threads of this module, which must not wait for themselves. Has no destructor, so
    /// that it can be read while the process exits.
    static IS_OWN_THREAD: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn mark_own_thread() {
    IS_OWN_THREAD.with(|is_own| is_own.set(true));
}

pub(super) fn is_own_thread() -> bool {
    IS_OWN_THREAD.with(Cell::get)
}

/// The handle of the thread. Dropping it writes what is pending and ends the thread.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the handle and the thread share.
#[derive(Debug)]
pub(super) struct Shared {
    path: Arc<Path>,
    timing: Timing,
    /// Whether the thread knows already that something is dirty.
    is_awake: AtomicBool,
    inbox: Mutex<Inbox>,
    /// Rings when `inbox` has something for the thread.
    bell: Condvar,
    /// Rings when the thread ends.
    ended: Condvar,
    sentry: Arc<Sentry>,
}

#[derive(Debug, Default)]
struct Inbox {
    is_dirty: bool,
    promises: Vec<Promise>,
    edits: Vec<(Edit, Promise)>,
    is_stopping: bool,
    is_over: bool,
}

impl Inbox {
    fn is_urgent(&self) -> bool {
        self.is_stopping || !self.promises.is_empty() || !self.edits.is_empty()
    }
}

impl Writer {
    /// Starts the thread. The store has been loaded.
    pub(crate) fn spawn(store: impl Store, journal: Arc<dyn Journal>) -> Result<Self, StoreError> {
        Self::spawn_with(store, journal, Timing::default())
    }

    pub(super) fn spawn_with(store: impl Store, journal: Arc<dyn Journal>, timing: Timing) -> Result<Self, StoreError> {
        let path: Arc<Path> = store.path().into();
        let shared = Arc::new(Shared {
            path: path.clone(),
            timing,
            is_awake: AtomicBool::new(false),
            inbox: Mutex::default(),
            bell: Condvar::new(),
            ended: Condvar::new(),
            sentry: Sentry::new(timing.ack),
        });
        let worker = Worker::new(shared.clone(), store, journal);
        let thread = thread::Builder::new()
            .name("egb-writer".to_owned())
            .spawn(move || worker.run())
            .map_err(|error| StoreError::new(&path, StoreErrorKind::Thread(error)))?;
        // Of a model there is no exit.
        if cfg!(not(egb_shuttle)) {
            exit::register(&shared);
        }
        Ok(Self { shared, thread: Some(thread) })
    }

    /// To wake it from elsewhere.
    pub(crate) fn bell(&self) -> Bell {
        Bell(self.shared.clone())
    }

    /// Adds or removes keys, and returns when that is on disk and in force.
    pub(crate) fn edit(&self, edit: Edit) -> Result<(), Arc<StoreError>> {
        if is_own_thread() {
            return Err(self.shared.error(StoreErrorKind::OwnThread));
        }
        let (promise, waiter) = ack::promise(self.shared.path.clone());
        self.shared.ask(|inbox| inbox.edits.push((edit, promise)));
        waiter.wait(self.shared.timing.flush)
    }

    /// Writes what is pending, and returns when it is on disk.
    pub(crate) fn flush(&self) -> Result<(), Arc<StoreError>> {
        let waiter = self.shared.request();
        // Nor another writer, which may wait for this one.
        if is_own_thread() {
            return Err(self.shared.error(StoreErrorKind::OwnThread));
        }
        waiter.wait(self.shared.timing.flush)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut inbox = self.shared.inbox.lock();
        inbox.is_stopping = true;
        self.shared.bell.notify_one();
        if is_own_thread() {
            // It can't wait for itself; it writes what is left once it gets there.
            drop(inbox);
            drop(self.shared.sentry.end());
            return;
        }
        self.shared.ended.wait_while_for(&mut inbox, |inbox| !inbox.is_over, self.shared.timing.flush);
        let is_over = inbox.is_over;
        drop(inbox);
        if !is_over {
            let error = StoreError::new(&self.shared.path, StoreErrorKind::Slow);
            tracing::warn!(target: "egb", %error, "the thread that writes is left behind");
            return;
        }
        // Neither can have panicked in a way that is not reported already.
        for thread in self.thread.take().into_iter().chain(self.shared.sentry.end()) {
            let _ = thread.join();
        }
    }
}

/// Wakes the thread, if it still runs, and does not keep it.
#[derive(Debug)]
pub(crate) struct Bell(Arc<Shared>);

impl Bell {
    /// Something is dirty: it is written soon. Cheap, and never waits.
    pub(crate) fn ring(&self) {
        self.0.wake();
    }

    /// Writes what is pending at once, for a disablement.
    pub(crate) fn save(&self) -> Ack {
        Ack::new(self.0.request(), self.0.sentry.clone())
    }
}

impl Shared {
    fn wake(&self) {
        if !self.is_awake.swap(true, Ordering::SeqCst) {
            self.inbox.lock().is_dirty = true;
            self.bell.notify_one();
        }
    }

    /// Asks the thread to write now all that is pending.
    pub(super) fn request(&self) -> Waiter {
        let (promise, waiter) = ack::promise(self.path.clone());
        self.ask(|inbox| inbox.promises.push(promise));
        waiter
    }

    /// Asks the thread for something. When it has ended the promise of it is dropped here, which tells the waiter.
    fn ask(&self, put: impl FnOnce(&mut Inbox)) {
        let mut inbox = self.inbox.lock();
        if !inbox.is_over {
            put(&mut inbox);
            self.bell.notify_one();
        }
    }

    fn error(&self, kind: StoreErrorKind) -> Arc<StoreError> {
        Arc::new(StoreError::new(&self.path, kind))
    }

    /// Waits until there is something to do, and says for whom.
    fn next(&self, retry: Option<Duration>) -> Call {
        let mut inbox = self.inbox.lock();
        if let Some(retry) = retry {
            self.bell.wait_while_for(&mut inbox, |inbox| !inbox.is_urgent(), retry);
        } else {
            let is_idle = |inbox: &mut Inbox| !inbox.is_dirty && !inbox.is_urgent();
            self.bell.wait_while_for(&mut inbox, is_idle, self.timing.look);
            if inbox.is_dirty {
                self.bell.wait_while_for(&mut inbox, |inbox| !inbox.is_urgent(), self.timing.group);
            }
        }
        // Before anything is drained, so that no change falls between the two.
        inbox.is_dirty = false;
        self.is_awake.store(false, Ordering::SeqCst);
        Call {
            promises: std::mem::take(&mut inbox.promises),
            edits: std::mem::take(&mut inbox.edits),
            is_last: inbox.is_stopping,
        }
    }
}

/// A reason for a round.
struct Call {
    promises: Vec<Promise>,
    edits: Vec<(Edit, Promise)>,
    is_last: bool,
}

#[cfg(all(test, egb_shuttle))]
mod shuttle_tests;
#[cfg(test)]
mod tests;
mod worker;
