//! Locks, atomics and threads: those of `parking_lot` and std, or in a build with `--cfg egb_shuttle` those of the
//! model checker [shuttle](https://docs.rs/shuttle), which runs the threads of a test in many orders.

#[cfg(not(egb_shuttle))]
pub(crate) use std::{sync::atomic, thread, thread_local};

#[cfg(not(egb_shuttle))]
pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};

#[cfg(egb_shuttle)]
pub(crate) use self::model::{Condvar, Mutex, MutexGuard, RwLock, atomic, thread, thread_local};

#[cfg(all(test, egb_shuttle))]
pub(crate) use self::model::explore;

#[cfg(egb_shuttle)]
mod model;
#[cfg(not(egb_shuttle))]
mod patience;

/// What many threads lock, nearly always for less than a microsecond at a time. It has cache lines of its own: who reads what lies
/// beside it is not disturbed.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Brief<T> {
    mutex: Mutex<T>,
    #[cfg(not(egb_shuttle))]
    patience: patience::Patience,
}

impl<T> Brief<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            mutex: Mutex::new(value),
            #[cfg(not(egb_shuttle))]
            patience: patience::Patience::new(),
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.try_lock().unwrap_or_else(|| self.lock_held().0)
    }

    /// `None` if another thread holds it.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        #[cfg(not(egb_shuttle))]
        return self.mutex.try_lock();
        #[cfg(egb_shuttle)]
        return (!model::perhaps()).then(|| self.mutex.lock());
    }

    /// As [`lock`](Self::lock), after [`try_lock`](Self::try_lock) in vain; and says whether the lock is hard to get: whether
    /// threads do little else than to ask for it.
    #[cold]
    pub(crate) fn lock_held(&self) -> (MutexGuard<'_, T>, bool) {
        #[cfg(not(egb_shuttle))]
        return self.patience.lock_held(&self.mutex);
        #[cfg(egb_shuttle)]
        return (self.mutex.lock(), model::perhaps());
    }
}
