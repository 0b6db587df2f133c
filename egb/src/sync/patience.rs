//! How a thread waits for a lock that is held for less than a microsecond at a time.

use std::thread;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::clock::{Clock, SystemClock};

/// Pauses of the processor before each of the first looks, of ten to forty nanoseconds each.
const PAUSES: [u32; 2] = [8, 32];

/// Looks after those, before the thread waits for its turn.
const LOOKS: u32 = 3;

/// Between two of them: the time of some hundred calls. Linux sleeps some 50 microseconds longer than it is asked to, and
/// other systems up to a millisecond.
const AWAY: Duration = Duration::from_micros(50);

/// Longer than it takes to find that no other thread wants this processor.
const ANOTHER_RAN: Duration = Duration::from_micros(2);

/// Two processors that do little else than to ask for one lock pass it back and forth with all that it guards, and
/// together do less than one alone. So who finds it held again and again sleeps for a while, and leaves it to the other.
#[cold]
pub(super) fn lock_held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    let soon = PAUSES.into_iter().find_map(|pauses| {
        (0..pauses).for_each(|_| std::hint::spin_loop());
        mutex.try_lock()
    });
    let later = || {
        (0..LOOKS).find_map(|_| {
            give_way();
            mutex.try_lock()
        })
    };
    soon.or_else(later).unwrap_or_else(|| mutex.lock())
}

/// Who holds the lock may have been put aside for this very thread; then there is no time to lose when it has run.
fn give_way() {
    let clock = SystemClock::new();
    thread::yield_now();
    if clock.monotonic() < ANOTHER_RAN {
        thread::sleep(AWAY);
    }
}
