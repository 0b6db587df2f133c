//! Locks, atomics and threads: those of `parking_lot` and std, or in a build with `--cfg egb_shuttle` those of the
//! model checker [shuttle](https://docs.rs/shuttle), which runs the threads of a test in many orders.

use std::time::Duration;

use crate::clock::{Clock, SystemClock};

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

/// Something that many threads write, on cache lines of its own: who reads what lies beside it is not disturbed.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);

/// Locks what is held for less than a microsecond at a time. Two processors that ask for such a lock in turns pass it back
/// and forth with all that it guards, and together do less than one alone. So who finds it held for more than a moment
/// sleeps for the time of some hundred calls, and leaves it to the other.
#[inline]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.try_lock().unwrap_or_else(|| lock_held(mutex))
}

#[cold]
fn lock_held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    /// Looks before the thread waits for its turn.
    const LOOKS: u32 = 8;
    /// Between two of them. Systems sleep some 50 microseconds longer than they are asked to.
    const AWAY: Duration = Duration::from_micros(20);
    /// Longer than it takes to find that no other thread wants this processor.
    const ANOTHER_RAN: Duration = Duration::from_micros(2);
    (0..8).for_each(|_| std::hint::spin_loop());
    for _ in 0..LOOKS {
        if let Some(guard) = mutex.try_lock() {
            return guard;
        }
        // Who holds it may have been put aside for this very thread; then there is no time to lose when it has run.
        let clock = SystemClock::new();
        thread::yield_now();
        if clock.monotonic() < ANOTHER_RAN {
            thread::sleep(AWAY);
        }
    }
    mutex.lock()
}
