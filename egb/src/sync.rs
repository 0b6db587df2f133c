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

/// Takes a lock that is held for less than a microsecond. A thread that finds it taken looks again after the time of
/// many calls: to hand such a lock over, with the memory behind it, takes longer than to work under it, so two threads
/// do most when each works on for a while. It sleeps only if that is of no use.
#[inline]
pub(crate) fn lock_briefly<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    #[cfg(not(egb_shuttle))]
    if let Some(guard) = mutex.try_lock().or_else(|| look_again(mutex)) {
        return guard;
    }
    mutex.lock()
}

#[cfg(not(egb_shuttle))]
#[cold]
fn look_again<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    const LOOKS: u32 = 8;
    /// About ten microseconds where a pause is long, and one where it is short.
    const PAUSES: u32 = 256;
    (0..LOOKS).find_map(|_| {
        (0..PAUSES).for_each(|_| std::hint::spin_loop());
        mutex.try_lock()
    })
}

/// Something that many threads write, on cache lines of its own: who reads what lies beside it is not disturbed.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);
