//! The clocks of the operating system.

use std::time::{Duration, SystemTime};

use super::Clock;

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    /// Nanoseconds of the monotonic clock.
    start: u64,
}

impl SystemClock {
    /// A clock that counts from now.
    pub fn new() -> Self {
        Self { start: reading::exact() }
    }

    /// Nanoseconds of [`monotonic_coarse`](Clock::monotonic_coarse).
    #[inline]
    pub(super) fn coarse_nanos(self) -> u64 {
        reading::coarse().saturating_sub(self.start)
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        Duration::from_nanos(reading::exact().saturating_sub(self.start))
    }

    fn monotonic_coarse(&self) -> Duration {
        Duration::from_nanos(self.coarse_nanos())
    }

    fn utc(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Linux keeps the time of its last tick (1 to 10 ms ago) where it is read without asking the processor's counter:
/// a fifth of the time that the exact one takes. See `clock_gettime(2)`, `CLOCK_MONOTONIC_COARSE`.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod reading {
    use nix::time::{ClockId, clock_gettime};

    #[inline]
    pub(super) fn exact() -> u64 {
        nanos(ClockId::CLOCK_MONOTONIC)
    }

    #[inline]
    pub(super) fn coarse() -> u64 {
        nanos(ClockId::CLOCK_MONOTONIC_COARSE)
    }

    /// Since the start of the machine: neither part is ever negative, and 64 bits last for centuries.
    #[inline]
    fn nanos(clock: ClockId) -> u64 {
        let time = clock_gettime(clock).expect("every Linux has both clocks");
        wide(time.tv_sec()) * 1_000_000_000 + wide(time.tv_nsec())
    }

    /// Of either part, whose types differ from one processor to another.
    #[inline]
    fn wide(part: impl TryInto<u64>) -> u64 {
        part.try_into().unwrap_or_default()
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod reading {
    use std::time::Instant;

    use once_cell::sync::Lazy;

    static START: Lazy<Instant> = Lazy::new(Instant::now);

    pub(super) fn exact() -> u64 {
        u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(super) fn coarse() -> u64 {
        exact()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coarse_reading_lags_behind_a_little_and_is_never_ahead() {
        let clock = SystemClock::new();
        let mut largest = Duration::ZERO;
        for _ in 0..100_000 {
            let (coarse, exact) = (clock.monotonic_coarse(), clock.monotonic());
            assert!(coarse <= exact, "{coarse:?} {exact:?}");
            largest = largest.max(exact.saturating_sub(coarse));
        }
        // A tick, and what a busy machine adds between two readings.
        assert!(largest < Duration::from_secs(5), "{largest:?}");
    }
}
