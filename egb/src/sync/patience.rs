//! How a thread waits for a lock that is nearly always held for less than a microsecond at a time.

use std::sync::atomic::{AtomicU64, Ordering};
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

/// As long as threads do nothing else than to ask for the lock they take longer and longer turns, up to this: at each one
/// all that the lock guards has to come from the other processor.
const LONGEST_AWAY: Duration = Duration::from_millis(2);

/// Who has to stay away for so long may well look for another way than that lock.
const HARD: Duration = Duration::from_micros(200);

/// Such threads find the lock held as soon as one of them is back. Those that work between their calls do not.
const SOON: Duration = Duration::from_micros(30);

/// Longer than it takes to find that no other thread wants this processor.
const ANOTHER_RAN: Duration = Duration::from_micros(2);

/// What is known of those who waited for a lock. Two processors that do little else than to ask for one lock pass it back
/// and forth with all that it guards, and together do less than one alone. So who finds it held again and again sleeps for
/// a while, and leaves it to the other.
#[derive(Debug)]
pub(super) struct Patience {
    clock: SystemClock,
    /// When the last sleep ended, in nanoseconds of the clock, and how long it was to be.
    woke: AtomicU64,
    was_away: AtomicU64,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { clock: SystemClock::new(), woke: AtomicU64::new(0), was_away: AtomicU64::new(0) }
    }

    /// Returns too whether the lock is hard to get: whether threads do little else than to ask for it.
    #[cold]
    pub(super) fn lock_held<'a, T>(&self, mutex: &'a Mutex<T>) -> (MutexGuard<'a, T>, bool) {
        let soon = PAUSES.into_iter().find_map(|pauses| {
            (0..pauses).for_each(|_| std::hint::spin_loop());
            mutex.try_lock()
        });
        if let Some(guard) = soon {
            return (guard, false);
        }
        let mut is_hard_to_get = false;
        let later = (0..LOOKS).find_map(|_| {
            is_hard_to_get |= self.give_way() >= HARD;
            mutex.try_lock()
        });
        (later.unwrap_or_else(|| mutex.lock()), is_hard_to_get)
    }

    /// Who holds the lock may have been put aside for this very thread; then there is no time to lose when it has run.
    /// Returns for how long this thread meant to sleep.
    fn give_way(&self) -> Duration {
        let asked = self.clock.monotonic();
        thread::yield_now();
        let now = self.clock.monotonic();
        if now.saturating_sub(asked) >= ANOTHER_RAN {
            return Duration::ZERO;
        }
        let nanos = |kept: &AtomicU64| Duration::from_nanos(kept.load(Ordering::Relaxed));
        let away = next_away(now.saturating_sub(nanos(&self.woke)), nanos(&self.was_away));
        thread::sleep(away);
        let keep = |kept: &AtomicU64, time: Duration| {
            kept.store(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        };
        keep(&self.woke, self.clock.monotonic());
        keep(&self.was_away, away);
        away
    }
}

/// How long to sleep when the last one who did has been back for so long.
fn next_away(back_for: Duration, was_away: Duration) -> Duration {
    if back_for < SOON { (2 * was_away).clamp(AWAY, LONGEST_AWAY) } else { AWAY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_get_longer_while_nobody_does_anything_else_and_short_at_once_when_somebody_does() {
        let micros = Duration::from_micros;
        let mut away = next_away(micros(0), Duration::ZERO);
        let mut turns = vec![away.as_micros()];
        for _ in 0..6 {
            away = next_away(micros(29), away);
            turns.push(away.as_micros());
        }
        assert_eq!(turns, [50, 100, 200, 400, 800, 1_600, 2_000]);
        assert_eq!(next_away(micros(29), away), LONGEST_AWAY);
        let easy: u128 = turns.iter().take_while(|away| **away < HARD.as_micros()).sum();
        assert_eq!(easy + HARD.as_micros(), 350, "a third of a millisecond until it is hard to get");
        assert_eq!(next_away(micros(30), away), AWAY);
    }

    #[test]
    fn who_waits_gets_the_lock_however_long_it_is_held() {
        let (mutex, patience) = (Mutex::new(0), Patience::new());
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let mut guard = mutex.try_lock().unwrap_or_else(|| patience.lock_held(&mutex).0);
                        *guard += 1;
                        thread::yield_now();
                    }
                });
            }
        });
        assert_eq!(mutex.into_inner(), 2_000);
    }
}
