//! A counter that starts anew at midnight.

use std::num::NonZeroU32;

use crate::clock::Tick;

/// Uses of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day {
    /// The midnight that ends the day of these uses.
    pub(crate) end: Tick,
    pub(crate) used: u32,
}

/// The uses of a day, of so many that it may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Daily {
    end: Tick,
    used: u32,
    limit: NonZeroU32,
}

impl Daily {
    pub(super) fn new(limit: NonZeroU32) -> Self {
        Self { end: Tick::ZERO, used: 0, limit }
    }

    /// What was used stays used.
    pub(super) fn with_limit(self, limit: NonZeroU32) -> Self {
        Self { limit, ..self }
    }

    pub(super) fn used(&self, now: Tick) -> u32 {
        if now < self.end { self.used } else { 0 }
    }

    #[inline]
    pub(super) fn record(&mut self, uses: u32, now: Tick, end: impl FnOnce() -> Tick) {
        if now >= self.end {
            self.begin(end);
        }
        self.used = self.used.saturating_add(uses);
    }

    #[cold]
    #[inline(never)]
    fn begin(&mut self, end: impl FnOnce() -> Tick) {
        (self.used, self.end) = (0, end());
    }

    #[inline]
    pub(super) fn ready_at(&self) -> Tick {
        if self.used >= self.limit.get() { self.end } else { Tick::ZERO }
    }

    /// What a restart has to know.
    pub(super) fn memory(&self, now: Tick) -> Option<Day> {
        (now < self.end).then_some(Day { end: self.end, used: self.used })
    }

    /// Uses of the same day that were counted elsewhere.
    pub(super) fn add(&mut self, theirs: Day) {
        if theirs.end == self.end {
            self.used = self.used.saturating_add(theirs.used);
        } else {
            self.remember(theirs);
        }
    }

    /// Takes over what is known from before, if it counts for more.
    pub(super) fn remember(&mut self, before: Day) {
        if before > (Day { end: self.end, used: self.used }) {
            (self.end, self.used) = (before.end, before.used);
        }
    }
}
