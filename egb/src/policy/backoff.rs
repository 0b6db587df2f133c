//! Waits that grow from failure to failure.

use std::time::{Duration, SystemTime};

use super::LONGEST_WAIT;

/// Waits that double from `first` to `longest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        let longest = longest.min(LONGEST_WAIT).max(first.min(LONGEST_WAIT));
        Self { first: first.min(longest), longest }
    }

    /// The wait after the `streak`th failure in a row: up to a quarter longer than it has to be, and never
    /// longer than the longest.
    pub(super) fn wait(&self, streak: u32, now: SystemTime) -> Duration {
        let wait = doubled(self.first, streak, self.longest);
        wait.mul_f64(1.0 + 0.25 * jitter(now, streak)).min(self.longest)
    }
}

/// `first`, doubled with each failure in a row after the first, up to `longest`.
pub(super) fn doubled(first: Duration, streak: u32, longest: Duration) -> Duration {
    let times = 2_u32.saturating_pow(streak.saturating_sub(1).min(31));
    first.checked_mul(times).map_or(longest, |wait| wait.min(longest))
}

/// A number in [0, 1) that differs from call to call and yet is a pure function of its arguments:
/// the mixing step of `SplitMix64` (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn jitter(now: SystemTime, streak: u32) -> f64 {
    let nanos = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let nanos = u64::try_from(nanos & u128::from(u64::MAX)).unwrap_or_default();
    let mut bits = nanos.wrapping_add(u64::from(streak)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    // 32 bits are plenty for a delay, and fit a float exactly.
    let high = u32::try_from(bits >> 32).unwrap_or_default();
    f64::from(high) / 2_f64.powi(32)
}
