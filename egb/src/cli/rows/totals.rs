//! The sums over all keys.

use std::time::SystemTime;

use super::Count;
use crate::builder::{Gather, Place};
use crate::stats::{KeyStats, part};

/// Sums of rows.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) count: Count,
    pub(crate) calls: u64,
    pub(crate) uses: u64,
    pub(crate) successes: u64,
    pub(crate) failures: u64,
    pub(crate) throttled: u64,
    pub(crate) last_used: Option<SystemTime>,
    /// Configured and effective ones.
    weights: Vec<(Place, (f64, f64))>,
}

impl Totals {
    pub(crate) fn of(keys: &[KeyStats]) -> Self {
        let mut totals = Self::default();
        (0..).zip(keys).for_each(|(place, key)| totals.add(place, key));
        totals
    }

    fn add(&mut self, place: Place, key: &KeyStats) {
        self.count.add(key);
        self.calls += key.begun;
        self.uses += key.calls;
        self.successes += key.successes;
        self.failures += key.failures;
        self.throttled += key.throttled;
        self.last_used = self.last_used.max(key.last_used);
        self.weights.push((place, (key.health.weight(), key.health.effective_weight())));
    }

    /// Of uses that ended.
    pub(crate) fn success_rate(&self) -> Option<f64> {
        part(self.successes, self.successes + self.failures)
    }

    /// The configured weights, added up.
    pub(crate) fn weight(&self) -> f64 {
        self.sum(|(weight, _)| weight)
    }

    pub(crate) fn average_weight(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 keys")]
        let average = self.weight() / self.count.total as f64;
        (self.count.total > 0).then_some(average)
    }

    pub(crate) fn effective_weight(&self) -> f64 {
        self.sum(|(_, effective)| effective)
    }

    /// In the order of the keys, on which the last digits depend.
    fn sum(&self, which: fn((f64, f64)) -> f64) -> f64 {
        let mut weights: Vec<_> = self.weights.iter().collect();
        weights.sort_unstable_by_key(|(place, _)| *place);
        // A sum of nothing is -0.
        weights.into_iter().map(|(_, weights)| which(*weights)).sum::<f64>() + 0.0
    }
}

impl Gather for Totals {
    fn take(&mut self, place: Place, key: KeyStats) {
        self.add(place, &key);
    }

    fn join(&mut self, mut other: Self) {
        self.count.join(other.count);
        self.calls += other.calls;
        self.uses += other.uses;
        self.successes += other.successes;
        self.failures += other.failures;
        self.throttled += other.throttled;
        self.last_used = self.last_used.max(other.last_used);
        self.weights.append(&mut other.weights);
    }
}
