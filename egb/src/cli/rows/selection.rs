//! Keys that are wanted, in an order and up to a number, and what is told of all others beside them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{Count, Filter, Sort, compare, digits};
use crate::builder::{Gather, Place};
use crate::key::Fingerprint;
use crate::stats::KeyStats;

/// So many keys that are one too many are kept, to be sorted out together.
const SPARE: usize = 1_024;

/// What is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) filter: Option<Filter>,
    /// Else the order in which keys were given.
    pub(crate) sort: Option<Sort>,
    pub(crate) limit: Option<usize>,
}

/// Gathers them.
pub(crate) struct Selection {
    wanted: Wanted,
    kept: Vec<(Place, KeyStats)>,
    /// Whether the first of `kept`, up to the limit, are in order and precede the others that there were.
    is_pruned: bool,
    /// Of all keys.
    names: Vec<Fingerprint>,
    selected: Selected,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Selected {
    pub(crate) keys: Vec<KeyStats>,
    /// Keys that the filter admits.
    pub(crate) total: usize,
    /// Of all keys, whatever the filter, as in what follows.
    pub(crate) counts: Count,
    /// How many keys met which reason last, and have not succeeded since.
    pub(crate) errors: BTreeMap<&'static str, usize>,
    /// How much of a fingerprint tells it from the others.
    pub(crate) digits: usize,
}

impl Selection {
    pub(crate) fn of(wanted: Wanted) -> Self {
        Self { wanted, kept: Vec::new(), is_pruned: false, names: Vec::new(), selected: Selected::default() }
    }

    pub(crate) fn finish(mut self) -> Selected {
        self.prune();
        let keys = self.kept.into_iter().map(|(_, key)| key).collect();
        Selected { keys, digits: digits(self.names), ..self.selected }
    }

    fn limit(&self) -> usize {
        self.wanted.limit.unwrap_or(usize::MAX)
    }

    fn order(&self, (place, key): (Place, &KeyStats), (other_place, other): (Place, &KeyStats)) -> Ordering {
        let by = |sort| compare(key, other, sort);
        self.wanted.sort.map_or(Ordering::Equal, by).then(place.cmp(&other_place))
    }

    fn keep(&mut self, place: Place, key: KeyStats) {
        if self.is_too_late(place, &key) {
            return;
        }
        self.kept.push((place, key));
        if self.kept.len() > self.limit().saturating_add(SPARE) {
            self.prune();
        }
    }

    /// Whether there are enough keys that come before this one.
    fn is_too_late(&self, place: Place, key: &KeyStats) -> bool {
        let Some(last) = self.limit().checked_sub(1) else { return true };
        let last = self.kept.get(last).filter(|_| self.is_pruned);
        last.is_some_and(|(at, last)| self.order((place, key), (*at, last)).is_gt())
    }

    fn prune(&mut self) {
        let mut kept = std::mem::take(&mut self.kept);
        kept.sort_by(|(place, key), (other_place, other)| self.order((*place, key), (*other_place, other)));
        kept.truncate(self.limit());
        self.kept = kept;
        self.is_pruned = true;
    }
}

impl Gather for Selection {
    fn take(&mut self, place: Place, key: KeyStats) {
        self.names.push(key.fingerprint);
        self.selected.counts.add(&key);
        if let Some(last) = key.health.last_failure().filter(|_| Filter::Error.admits(&key)) {
            *self.selected.errors.entry(last.reason.name()).or_default() += 1;
        }
        if self.wanted.filter.is_none_or(|filter| filter.admits(&key)) {
            self.selected.total += 1;
            self.keep(place, key);
        }
    }

    fn join(&mut self, mut other: Self) {
        self.names.append(&mut other.names);
        self.selected.counts.join(other.selected.counts);
        for (reason, count) in other.selected.errors {
            *self.selected.errors.entry(reason).or_default() += count;
        }
        self.selected.total += other.selected.total;
        other.kept.into_iter().for_each(|(place, key)| self.keep(place, key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancer::Balancer;
    use crate::config::KeyConfig;
    use crate::stats::Stats;

    /// Keys of a few weights and states, many more than are kept at once.
    fn stats() -> Stats {
        let weight = |number: u32| if number == 19 { 9 } else { 1 + number * 7 % 5 };
        let key = |number| KeyConfig::new(format!("test-key-{number}")).weight(f64::from(weight(number)));
        let builder = (0..5_000).fold(Balancer::builder(), |builder, number| builder.key(key(number)));
        let balancer = builder.build().unwrap();
        for number in (0..5_000).step_by(3) {
            balancer.report(&format!("test-key-{number}").into(), if number % 2 == 0 { 429 } else { 401 });
        }
        balancer.stats()
    }

    fn names<'a>(keys: impl IntoIterator<Item = &'a KeyStats>) -> Vec<Fingerprint> {
        keys.into_iter().map(|key| key.fingerprint).collect()
    }

    #[test]
    fn the_first_in_the_order_are_selected_whoever_saw_them() {
        let stats = stats();
        for sort in [None, Some(Sort::Weight), Some(Sort::Errors), Some(Sort::State), Some(Sort::LastUsed)] {
            for (filter, limit) in [(None, Some(20)), (Some(Filter::Error), Some(1)), (None, Some(0)), (None, None)] {
                let wanted = Wanted { filter, sort, limit };
                let (mut first, mut second) = (Selection::of(wanted), Selection::of(wanted));
                for (place, key) in (0..).zip(&stats.keys) {
                    let part = if place < 3_000 { &mut first } else { &mut second };
                    part.take(place, key.clone());
                }
                first.join(second);
                let selected = first.finish();

                let mut all: Vec<&KeyStats> = stats.keys.iter().collect();
                all.retain(|key| filter.is_none_or(|filter| filter.admits(key)));
                all.sort_by(|a, b| sort.map_or(Ordering::Equal, |sort| compare(a, b, sort)));
                assert_eq!(selected.total, all.len());
                all.truncate(limit.unwrap_or(usize::MAX));
                assert_eq!(names(&selected.keys), names(all), "{sort:?} {limit:?}");
                assert_eq!(selected.counts, Count::of(&stats.keys));
                assert_eq!(selected.errors.values().sum::<usize>(), 1_667);
            }
        }
    }
}
