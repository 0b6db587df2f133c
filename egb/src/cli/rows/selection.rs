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
        Self { wanted, kept: Vec::new(), names: Vec::new(), selected: Selected::default() }
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
        // That of the first, after they were pruned, which all to come have to precede.
        let last = self.limit().checked_sub(1).map(|last| self.kept.get(last));
        let is_too_late = match last {
            None => true,
            Some(last) => last.is_some_and(|(at, last)| self.order((place, &key), (*at, last)).is_gt()),
        };
        if is_too_late {
            return;
        }
        self.kept.push((place, key));
        if self.kept.len() > self.limit().saturating_add(SPARE) {
            self.prune();
        }
    }

    fn prune(&mut self) {
        let mut kept = std::mem::take(&mut self.kept);
        kept.sort_by(|(place, key), (other_place, other)| self.order((*place, key), (*other_place, other)));
        kept.truncate(self.limit());
        self.kept = kept;
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
