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
/// and forth with all that it guards, and together do half the work of one. So who finds it held for more than a moment
/// looks away, and leaves it to the other for some dozens of calls.
#[inline]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.try_lock().unwrap_or_else(|| lock_held(mutex))
}

#[cold]
fn lock_held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    /// Looks before the thread goes to sleep.
    const LOOKS: u32 = 8;
    /// Pauses of the processor between them, of ten to forty nanoseconds each.
    const PAUSES: u32 = 256;
    /// Longer than it takes to find that no other thread wants this processor.
    const ANOTHER_RAN: Duration = Duration::from_micros(2);
    pause(8);
    for _ in 0..LOOKS {
        if let Some(guard) = mutex.try_lock() {
            return guard;
        }
        // Who holds it may have been put aside for this very thread; then there is no time to lose when it has run.
        let clock = SystemClock::new();
        thread::yield_now();
        if clock.monotonic() < ANOTHER_RAN {
            pause(PAUSES);
        }
    }
    mutex.lock()
}

fn pause(pauses: u32) {
    (0..pauses).for_each(|_| std::hint::spin_loop());
}
