//! When a key was used last, by this process or before it began.

use std::time::{Duration, SystemTime};

use crate::clock::{Tick, Wall};

/// One number that grows from use to use, whichever process made it: 0 for never; where ticks do not reach,
/// microseconds since 1970 by the wall clock; of this process, a tick above all of those.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LastUse(u64);

impl LastUse {
    const HERE: u64 = 1 << 63;

    #[inline]
    pub(super) fn here(now: Tick) -> Self {
        Self(now.0.saturating_add(Self::HERE))
    }

    /// What the store knows.
    pub(super) fn stored(at: Option<SystemTime>) -> Self {
        let since_1970 = at.map(|at| at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
        let micros = since_1970.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
        Self(micros.min(Self::HERE - 1))
    }

    /// A stamp that orders keys by their last use.
    pub(super) fn stamp(self) -> Option<u64> {
        Some(self.0).filter(|&stamp| stamp > 0)
    }

    /// By the wall clock.
    pub(super) fn time(self, wall: Wall) -> Option<SystemTime> {
        match self.0.checked_sub(Self::HERE) {
            Some(tick) => Some(wall.past_wall_of(Tick(tick))),
            None => self.stamp().and_then(|micros| SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(micros))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_of_this_process_is_later_than_any_before_it() {
        let at = |secs| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(secs));
        let order = [
            LastUse::stored(None),
            LastUse::stored(at(1)),
            LastUse::stored(at(1_800_000_000)),
            LastUse::stored(at(1 << 62)),
            LastUse::here(Tick(1)),
            LastUse::here(Tick(2)),
            LastUse::here(Tick(u64::MAX)),
        ];
        assert!(order.is_sorted_by(|earlier, later| earlier < later));
        assert!(order.is_sorted_by_key(|used| used.stamp()));
        assert_eq!((order[0].stamp(), order[1].stamp()), (None, Some(1_000_000)));
    }
}
