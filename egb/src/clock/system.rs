//! The clocks of the operating system.

use std::time::{Duration, SystemTime};

use super::Clock;

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Duration,
}

impl SystemClock {
    /// A clock that counts from now.
    pub fn new() -> Self {
        Self { start: reading::exact() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[inline]
    fn monotonic(&self) -> Duration {
        reading::exact().saturating_sub(self.start)
    }

    #[inline]
    fn monotonic_coarse(&self) -> Duration {
        reading::coarse().saturating_sub(self.start)
    }

    fn utc(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Linux keeps the time of its last tick (1 to 10 ms ago) where it is read without asking the processor's counter:
/// a fifth of the time that the exact one takes. See `clock_gettime(2)`, `CLOCK_MONOTONIC_COARSE`.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod reading {
    use std::time::Duration;

    use nix::time::{ClockId, clock_gettime};

    #[inline]
    pub(super) fn exact() -> Duration {
        read(ClockId::CLOCK_MONOTONIC)
    }

    #[inline]
    pub(super) fn coarse() -> Duration {
        read(ClockId::CLOCK_MONOTONIC_COARSE)
    }

    #[inline]
    fn read(clock: ClockId) -> Duration {
        Duration::from(clock_gettime(clock).expect("every Linux has both clocks"))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod reading {
    use std::time::{Duration, Instant};

    use once_cell::sync::Lazy;

    static START: Lazy<Instant> = Lazy::new(Instant::now);

    pub(super) fn exact() -> Duration {
        START.elapsed()
    }

    pub(super) fn coarse() -> Duration {
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
