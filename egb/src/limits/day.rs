//! A counter that starts anew at midnight.

use crate::clock::Tick;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) used: u32,
    /// The midnight that ends the day of these uses.
    pub(crate) end: Tick,
}

impl Day {
    pub(super) fn used(&self, now: Tick) -> u32 {
        if now < self.end { self.used } else { 0 }
    }

    pub(super) fn record(&mut self, uses: u32, now: Tick, end: impl FnOnce() -> Tick) {
        if now >= self.end {
            *self = Self { used: 0, end: end() };
        }
        self.used = self.used.saturating_add(uses);
    }

    pub(super) fn ready_at(&self, limit: u32) -> Tick {
        if self.used >= limit { self.end } else { Tick::ZERO }
    }
}
