//! The promise that something is on disk: waited for by a call, on its thread or as a future, and
//! kept by the writer. Bounded: a disk that hangs holds no call for ever.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::writer::{is_own_thread, mark_own_thread};
use super::{StoreError, StoreErrorKind};
use crate::others;
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Condvar, Mutex, MutexGuard};

pub(super) type Outcome = Result<(), Arc<StoreError>>;

/// The steps in which the age of waiting futures is counted.
const STEPS: u32 = 5;

/// What a promise and those who wait for it share.
#[derive(Debug)]
struct Slot {
    path: Arc<Path>,
    state: Mutex<SlotState>,
    settled: Condvar,
}

#[derive(Debug, Default)]
struct SlotState {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

impl Slot {
    /// Sets the outcome, unless it is set. Says whether it was this call that set it.
    fn settle(&self, outcome: Outcome) -> bool {
        let mut state = self.state.lock();
        if state.outcome.is_some() {
            return false;
        }
        state.outcome = Some(outcome);
        let waker = state.waker.take();
        drop(state);
        self.settled.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    fn is_settled(&self) -> bool {
        self.state.lock().outcome.is_some()
    }

    fn error(&self, kind: StoreErrorKind) -> Outcome {
        Err(Arc::new(StoreError::new(&self.path, kind)))
    }
}

/// The writer's half. Dropped without being kept (the writer ended) it settles as an error.
#[derive(Debug)]
pub(super) struct Promise(Arc<Slot>);

/// A promise, and the half of the one who waits.
pub(super) fn promise(path: Arc<Path>) -> (Promise, Waiter) {
    let slot = Arc::new(Slot { path, state: Mutex::default(), settled: Condvar::new() });
    (Promise(slot.clone()), Waiter(slot))
}

impl Promise {
    pub(super) fn keep(self, outcome: &Outcome) {
        self.0.settle(outcome.clone());
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if !self.0.is_settled() {
            self.0.settle(self.0.error(StoreErrorKind::Stopped));
        }
    }
}

/// The half of the one who waits.
#[derive(Debug)]
pub(super) struct Waiter(Arc<Slot>);

impl Waiter {
    /// Waits on this thread.
    pub(super) fn wait(&self, limit: Duration) -> Outcome {
        let mut state = self.0.state.lock();
        self.0.settled.wait_while_for(&mut state, |state| state.outcome.is_none(), limit);
        state.outcome.clone().unwrap_or_else(|| self.0.error(StoreErrorKind::Slow))
    }
}

/// A disablement on its way to disk. Wait for it with `wait`, or await it: on any
/// executor, and for a few seconds at most. When the disk does not answer or fails, the log says so
/// and the call goes on: there is nothing it could do about it, and the writer tries again.
#[derive(Debug)]
#[must_use = "the disablement is on disk once this was waited for"]
pub(crate) struct Ack {
    waiter: Waiter,
    sentry: Arc<Sentry>,
    is_watched: bool,
}

impl Ack {
    pub(super) fn new(waiter: Waiter, sentry: Arc<Sentry>) -> Self {
        Self { waiter, sentry, is_watched: false }
    }

    /// Waits on this thread, inside an async runtime as well. The writer's own thread can't wait for itself: it writes
    /// as soon as it goes on.
    pub(crate) fn wait(self) {
        if is_own_thread() {
            return;
        }
        if let Err(error) = self.waiter.wait(self.sentry.limit) {
            warn_unless_told(&error);
        }
    }
}

impl Future for Ack {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let waker = context.waker().clone();
        let mut state = self.waiter.0.state.lock();
        if let Some(outcome) = state.outcome.clone() {
            drop(state);
            if let Err(error) = outcome
                && !matches!(error.kind(), StoreErrorKind::Slow)
            {
                warn_unless_told(&error);
            }
            return Poll::Ready(());
        }
        let known = state.waker.replace(waker);
        drop(state);
        // Whatever drops with a waker may wait for the writer.
        drop(known);
        if !self.is_watched {
            self.is_watched = true;
            self.sentry.watch(&self.waiter.0);
        }
        Poll::Pending
    }
}

/// Ends the wait of futures after `limit`: a future has no clock of its own, and the writer's thread
/// may be the one that hangs. Its thread starts with the first future that has to wait.
#[derive(Debug)]
pub(super) struct Sentry {
    limit: Duration,
    watch: Mutex<Watch>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Watch {
    waiting: Vec<(u32, Weak<Slot>)>,
    thread: Option<JoinHandle<()>>,
    is_over: bool,
}

impl Sentry {
    pub(super) fn new(limit: Duration) -> Arc<Self> {
        Arc::new(Self { limit, watch: Mutex::default(), bell: Condvar::new() })
    }

    fn watch(self: &Arc<Self>, slot: &Arc<Slot>) {
        let mut watch = self.watch.lock();
        if watch.is_over {
            return;
        }
        if watch.thread.is_none() {
            let sentry = self.clone();
            match thread::Builder::new().name("egb-sentry".to_owned()).spawn(move || sentry.run()) {
                Ok(thread) => watch.thread = Some(thread),
                Err(error) => {
                    drop(watch);
                    tracing::warn!(target: "egb", %error, "no thread to bound the wait for the disk with");
                    return;
                }
            }
        }
        watch.waiting.push((0, Arc::downgrade(slot)));
        drop(watch);
        self.bell.notify_one();
    }

    fn run(&self) {
        mark_own_thread();
        let mut watch = self.watch.lock();
        loop {
            self.bell.wait_while(&mut watch, |watch| watch.waiting.is_empty() && !watch.is_over);
            self.bell.wait_while_for(&mut watch, |watch| !watch.is_over, self.limit / STEPS);
            if watch.is_over {
                return;
            }
            let mut late = Vec::new();
            watch.waiting.retain_mut(|(age, slot)| {
                let Some(slot) = slot.upgrade().filter(|slot| !slot.is_settled()) else { return false };
                *age += 1;
                // The first step may have been shorter than it should.
                let is_late = *age > STEPS;
                if is_late {
                    late.push(slot);
                }
                !is_late
            });
            if late.is_empty() {
                continue;
            }
            // Wakers are others' code: not under the lock.
            MutexGuard::unlocked(&mut watch, || {
                let outcome = late[0].error(StoreErrorKind::Slow);
                let settle = |slot: &&Arc<Slot>| others::caught(|| slot.settle(outcome.clone())).unwrap_or(true);
                let ended = late.iter().filter(settle).count();
                if let (Err(error), 1..) = (&outcome, ended) {
                    others::caught(|| warn(error, ended));
                }
            });
        }
    }

    /// Ends the thread. The promises that it watched are settled by their writer.
    pub(super) fn end(&self) -> Option<JoinHandle<()>> {
        let mut watch = self.watch.lock();
        watch.is_over = true;
        self.bell.notify_all();
        watch.thread.take()
    }
}

/// Of an outage the writer tells.
fn warn_unless_told(error: &StoreError) {
    if matches!(error.kind(), StoreErrorKind::Slow | StoreErrorKind::Stopped) {
        warn(error, 1);
    }
}

fn warn(error: &StoreError, calls: usize) {
    tracing::warn!(target: "egb", %error, calls, "a call goes on before its disablement is on disk");
}

#[cfg(test)]
mod tests;
