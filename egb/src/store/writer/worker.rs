//! The work of the thread: groups changes into transactions, brings those of other processes in, and keeps what could not be
//! written for later. What the changes mean is for the pool and the store.

use std::path::Path;
use std::sync::Arc;

use super::{Journal, Shared, mark_own_thread};
use crate::others;
use crate::store::ack::{Outcome, Promise};
use crate::store::{Record, Store, StoreError, StoreErrorKind};

/// Changes taken at a time, so that the journal's lock is never held for long.
pub(super) const CHUNK: usize = 512;
/// Changes in one transaction, so that a large pool does not fill memory with them.
pub(super) const MAX_BATCH: usize = 64 * CHUNK;

/// What runs on the thread.
pub(super) struct Worker<S> {
    shared: Arc<Shared>,
    store: S,
    journal: Arc<dyn Journal>,
    writing: Alarm,
    reading: Alarm,
    adding: Alarm,
    has_told_panic: bool,
}

impl<S: Store> Worker<S> {
    pub(super) fn new(shared: Arc<Shared>, store: S, journal: Arc<dyn Journal>) -> Self {
        let alarm = |what| Alarm { what, is_raised: false };
        let (writing, reading, adding) = (alarm("write"), alarm("read"), alarm("read the keys added to"));
        Self { shared, store, journal, writing, reading, adding, has_told_panic: false }
    }

    pub(super) fn run(mut self) {
        mark_own_thread();
        let _end = End(self.shared.clone());
        let timing = self.shared.timing;
        let mut retry = None;
        loop {
            let call = self.shared.next(retry);
            let mut edited = Vec::with_capacity(call.edits.len());
            for (edit, promise) in call.edits {
                let outcome = self.unless_panicked(|worker| worker.store.edit(&edit).map_err(Arc::new));
                edited.push((promise, outcome.unwrap_or_else(Err)));
            }
            // First, so that what is written is joined with what others did.
            self.read();
            for (promise, outcome) in edited {
                self.keep(promise, &outcome);
            }
            let outcome = self.unless_panicked(Self::write).unwrap_or_else(Err);
            retry = outcome.is_err().then(|| timing.retry(retry));
            for promise in call.promises {
                self.keep(promise, &outcome);
            }
            if call.is_last {
                if let Err(error) = outcome {
                    tracing::warn!(target: "egb", %error, "the last changes could not be written and are lost");
                }
                return;
            }
        }
    }

    /// Does a part of a round. What it tells `tracing`, and the wakers that it wakes, are code of others: where that panics,
    /// the thread goes on.
    fn unless_panicked<T>(&mut self, part: impl FnOnce(&mut Self) -> T) -> Result<T, Arc<StoreError>> {
        if let Some(done) = others::caught(|| part(self)) {
            return Ok(done);
        }
        let error = self.shared.error(StoreErrorKind::Panicked);
        // Once: who is told of it may be who panicked.
        if !std::mem::replace(&mut self.has_told_panic, true) {
            others::caught(|| tracing::warn!(target: "egb", %error, "a panic on the thread that writes; it goes on"));
        }
        Err(error)
    }

    /// Waking who waits may panic, which is told; the promise is kept all the same.
    fn keep(&mut self, promise: Promise, outcome: &Outcome) {
        let _ = self.unless_panicked(|_| promise.keep(outcome));
    }

    /// The parts of it may panic one by one: what was read once is not read again.
    pub(super) fn read(&mut self) {
        let _ = self.unless_panicked(|worker| match worker.store.changes_by_others() {
            Ok(records) => worker.merge(&records),
            Err(error) => worker.reading.raise(&error),
        });
        let _ = self.unless_panicked(|worker| match worker.store.added_keys() {
            Ok(added) => {
                if let Some(configs) = added {
                    worker.journal.set_added(configs);
                }
                worker.adding.clear(&worker.shared.path);
            }
            Err(error) => worker.adding.raise(&error),
        });
    }

    fn merge(&mut self, records: &[Record]) {
        for chunk in records.chunks(CHUNK) {
            let _ = self.unless_panicked(|worker| worker.journal.merge(chunk));
        }
        if self.store.was_replaced() {
            self.journal.rewrite();
        }
        self.reading.clear(&self.shared.path);
    }

    /// Writes all that is pending; what can't be written is pending again.
    pub(super) fn write(&mut self) -> Outcome {
        let mut batch = Vec::new();
        loop {
            batch.clear();
            let mut has_more = true;
            while has_more && batch.len() < MAX_BATCH {
                has_more = self.journal.drain(&mut batch, CHUNK);
            }
            if batch.is_empty() {
                return Ok(());
            }
            let applied = self.unless_panicked(|worker| worker.store.apply(&batch).map_err(Arc::new));
            if let Err(error) = applied.unwrap_or_else(Err) {
                self.journal.rejected(&batch);
                self.writing.raise(&error);
                return Err(error);
            }
            self.journal.committed(&batch);
            self.writing.clear(&self.shared.path);
            if !has_more {
                return Ok(());
            }
        }
    }
}

/// Ends the shared state with the thread, however it ends: nobody waits for it any more.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        let mut inbox = self.0.inbox.lock();
        inbox.is_over = true;
        let promises = (std::mem::take(&mut inbox.promises), std::mem::take(&mut inbox.edits));
        self.0.ended.notify_all();
        drop(inbox);
        // Dropping them wakes tasks: not under the lock.
        drop(promises);
    }
}

/// Tells of an outage once, and of its end.
#[derive(Debug)]
struct Alarm {
    what: &'static str,
    is_raised: bool,
}

impl Alarm {
    fn raise(&mut self, error: &StoreError) {
        if !std::mem::replace(&mut self.is_raised, true) {
            let what = self.what;
            tracing::warn!(target: "egb", %error, "can't {what} the state; it is kept in memory and tried again");
        }
    }

    fn clear(&mut self, path: &Path) {
        if std::mem::replace(&mut self.is_raised, false) {
            tracing::info!(target: "egb", path = %path.display(), "can {} the state again", self.what);
        }
    }
}
