//! The keys of a pool as commands show them: filters, orders, groups, names and sums.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::SystemTime;

use clap::ValueEnum;
use serde::Serialize;

use super::output::style::number;
use crate::key::Fingerprint;
use crate::stats::{KeyState, KeyStats, part};

mod json;
mod origin;
mod selection;
mod totals;

pub(crate) use json::{ChangedJson, KeyJson};
pub(crate) use origin::{Origin, Origins};
pub(crate) use selection::{Selected, Selection, Wanted};
pub(crate) use totals::Totals;

/// Fewer digits of a fingerprint are not shown.
pub(crate) const FEWEST_DIGITS: usize = 8;

/// Which keys are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Filter {
    /// A call could get it now
    Available,
    /// It rests, or is at a limit, and comes back by itself
    Cooling,
    /// It is out until someone enables it
    Disabled,
    /// It failed since it last succeeded
    Error,
}

impl Filter {
    pub(crate) fn admits(self, key: &KeyStats) -> bool {
        match self {
            Self::Available => is_available(key),
            Self::Cooling => !is_available(key) && key.state != KeyState::Disabled,
            Self::Disabled => key.state == KeyState::Disabled,
            Self::Error => key.health.consecutive_errors() > 0,
        }
    }
}

fn is_available(key: &KeyStats) -> bool {
    matches!(key.state, KeyState::Available | KeyState::HalfOpen)
}

/// What keys are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// The heaviest first
    Weight,
    /// The one used last first
    LastUsed,
    /// The one with the most failures first
    Errors,
    /// Disabled, resting, limited, busy, available
    State,
    /// By label, those without one last
    Label,
}

/// Which of two keys comes first.
pub(crate) fn compare(a: &KeyStats, b: &KeyStats, by: Sort) -> Ordering {
    match by {
        Sort::Weight => descending(a.health.weight(), b.health.weight()),
        Sort::LastUsed => b.last_used.cmp(&a.last_used),
        Sort::Errors => b.health.error_count().cmp(&a.health.error_count()),
        Sort::State => rank(a.state).cmp(&rank(b.state)),
        Sort::Label => (a.label.is_none(), &a.label).cmp(&(b.label.is_none(), &b.label)),
    }
}

fn descending(a: f64, b: f64) -> Ordering {
    b.total_cmp(&a)
}

pub(crate) fn rank(state: KeyState) -> u8 {
    match state {
        KeyState::Disabled => 0,
        KeyState::CoolingDown => 1,
        KeyState::Limited { .. } => 2,
        KeyState::Busy => 3,
        KeyState::HalfOpen => 4,
        KeyState::Available => 5,
    }
}

/// So many digits tell these fingerprints apart.
pub(crate) fn digits(names: impl IntoIterator<Item = Fingerprint>) -> usize {
    let mut names: Vec<Fingerprint> = names.into_iter().collect();
    names.sort_unstable();
    let common = |a: &Fingerprint, b: &Fingerprint| {
        let mut pairs = a.as_bytes().iter().zip(b.as_bytes());
        let same = pairs.clone().take_while(|(a, b)| a == b).count();
        let half = pairs.nth(same).is_some_and(|(a, b)| a >> 4 == b >> 4);
        2 * same + usize::from(half)
    };
    let longest = names.windows(2).map(|pair| common(&pair[0], &pair[1])).max().unwrap_or(0);
    (longest + 1).max(FEWEST_DIGITS)
}

/// The beginning of a fingerprint.
pub(crate) fn short(fingerprint: Fingerprint, digits: usize) -> String {
    let mut text = fingerprint.to_string();
    text.truncate(digits);
    text
}

/// A key in a sentence: `19fd7846 (work-1)`.
pub(crate) fn named(fingerprint: Fingerprint, label: Option<&str>) -> String {
    let short = short(fingerprint, FEWEST_DIGITS);
    label.map_or(short.clone(), |label| format!("{short} ({label})"))
}

/// A name for people: the label, or else what may be shown of the key, or else the beginning of its fingerprint.
pub(crate) fn name(key: &KeyStats, digits: usize) -> String {
    match own_name(key) {
        "" => short(key.fingerprint, digits),
        name => name.to_owned(),
    }
}

/// The label, or else what may be shown of the key; nothing of one that only the database knows.
pub(crate) fn own_name(key: &KeyStats) -> &str {
    match &key.label {
        Some(label) => label,
        None if key.masked.chars().count() > 1 => &key.masked,
        None => "",
    }
}

/// When a key that is out comes back by itself.
pub(crate) fn back_at(key: &KeyStats) -> Option<SystemTime> {
    match key.state {
        KeyState::CoolingDown => key.health.cooldown_until(),
        KeyState::Limited { until } => Some(until),
        _ => None,
    }
}

/// The last failure in words: `429 rate_limited`.
pub(crate) fn failure(key: &KeyStats) -> Option<String> {
    let last = key.health.last_failure()?;
    let reason = last.reason.name();
    Some(last.status.map_or_else(|| reason.to_owned(), |status| format!("{status} {reason}")))
}

/// The part of uses that succeeded, of those that ended.
pub(crate) fn success_rate(key: &KeyStats) -> Option<f64> {
    part(key.successes, key.successes + key.failures)
}

/// How many keys are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Count {
    pub(crate) total: usize,
    pub(crate) available: usize,
    pub(crate) cooling_down: usize,
    pub(crate) limited: usize,
    pub(crate) busy: usize,
    pub(crate) disabled: usize,
}

impl Count {
    pub(crate) fn of<'a>(keys: impl IntoIterator<Item = &'a KeyStats>) -> Self {
        let mut count = Self::default();
        keys.into_iter().for_each(|key| count.add(key));
        count
    }

    pub(crate) fn add(&mut self, key: &KeyStats) {
        self.total += 1;
        match key.state {
            KeyState::Available | KeyState::HalfOpen => self.available += 1,
            KeyState::CoolingDown => self.cooling_down += 1,
            KeyState::Limited { .. } => self.limited += 1,
            KeyState::Busy => self.busy += 1,
            KeyState::Disabled => self.disabled += 1,
        }
    }

    pub(crate) fn join(&mut self, other: Self) {
        let Self { total, available, cooling_down, limited, busy, disabled } = other;
        self.total += total;
        self.available += available;
        self.cooling_down += cooling_down;
        self.limited += limited;
        self.busy += busy;
        self.disabled += disabled;
    }

    /// `3 available, 1 cooling down`: what there is any of.
    pub(crate) fn words(&self) -> String {
        let parts = [
            (self.available, "available"),
            (self.cooling_down, "cooling down"),
            (self.limited, "at a limit"),
            (self.busy, "busy"),
            (self.disabled, "disabled"),
        ];
        let there = parts.iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = there.map(|(count, what)| format!("{} {what}", number(*count as u64))).collect();
        words.join(", ")
    }
}

/// Keys by the name of a group they are in, in the order of the names; those in none are last.
pub(crate) fn grouped(
    keys: &[KeyStats],
    name: impl Fn(&KeyStats) -> Option<String>,
) -> Vec<(Option<String>, Vec<&KeyStats>)> {
    let mut groups: HashMap<Option<String>, Vec<&KeyStats>> = HashMap::new();
    for key in keys {
        groups.entry(name(key)).or_default().push(key);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|(a, _), (b, _)| (a.is_none(), a).cmp(&(b.is_none(), b)));
    groups
}

/// Keys that were changed, a line each: `disabled 19fd7846 (work-1)`.
pub(crate) fn changed(what: &str, keys: &[&KeyStats]) -> String {
    let lines = keys.iter().map(|key| format!("{what} {}\n", named(key.fingerprint, key.label.as_deref())));
    lines.collect::<Vec<_>>().concat()
}
