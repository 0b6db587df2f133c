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

/// Something that many threads write, on cache lines of its own: who reads what lies beside it is not disturbed.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);

/// Locks what is held for less than a microsecond at a time.
#[inline]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    #[cfg(not(egb_shuttle))]
    return mutex.try_lock().unwrap_or_else(|| patience::lock_held(mutex));
    #[cfg(egb_shuttle)]
    return mutex.lock();
}
