//! The keys of a pool as commands show them: a row each, with where the key came from; filters, orders, groups.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use clap::ValueEnum;
use serde::Serialize;

use super::failure::Failure;
use super::open::Setup;
use super::output::style::state_name;
use super::output::time::Utc;
use crate::key::{ByFingerprint, Fingerprint};
use crate::keyfile;
use crate::limits::Limits;
use crate::stats::{KeyState, KeyStats, ScopeStats, Stats};
use crate::store::AddedKey;

/// Fewer digits of a fingerprint are not shown.
pub(crate) const FEWEST_DIGITS: usize = 8;

/// What gave a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    KeysFile(Arc<Path>),
    /// The variable `EGB_KEYS`.
    Variable,
    /// Somebody added it, perhaps from a source with a name.
    Added(Option<Arc<str>>),
    /// The database knows it, and nobody here gives it.
    Elsewhere,
}

impl Origin {
    /// What people and programs read; `None` is unknown.
    pub(crate) fn source(&self) -> Option<String> {
        match self {
            Self::KeysFile(path) => Some(path.display().to_string()),
            Self::Variable => Some("EGB_KEYS".to_owned()),
            Self::Added(source) => Some(source.as_deref().unwrap_or("added").to_owned()),
            Self::Elsewhere => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::KeysFile(_) => "keys_file",
            Self::Variable => "environment",
            Self::Added(_) => "added",
            Self::Elsewhere => "unknown",
        }
    }
}

/// Where keys came from.
pub(crate) struct Origins {
    added: ByFingerprint<AddedKey>,
    given: Given,
}

enum Given {
    None,
    /// All that were not added.
    By(Origin),
    Each(ByFingerprint<Origin>),
}

impl Origins {
    pub(crate) fn read(setup: &Setup) -> Result<Self, Failure> {
        let added = setup.look_at_db()?.added_from()?;
        let given = match (&setup.keys_files[..], setup.has_keys_variable) {
            ([], false) => Given::None,
            ([], true) => Given::By(Origin::Variable),
            ([file], false) if added.is_empty() => Given::By(Origin::KeysFile(file.as_path().into())),
            (files, _) => {
                let mut each = ByFingerprint::default();
                for file in files {
                    let origin = Origin::KeysFile(file.as_path().into());
                    let configs = keyfile::read(file).map_err(crate::Error::from)?;
                    each.extend(configs.into_iter().map(|config| (config.key.fingerprint(), origin.clone())));
                }
                Given::Each(each)
            }
        };
        Ok(Self { added, given })
    }

    /// Where a key of the pool came from. A source prevails over what was added.
    pub(crate) fn of(&self, fingerprint: Fingerprint) -> Origin {
        let added = || self.added.get(&fingerprint).map(|added| Origin::Added(added.source.clone()));
        match &self.given {
            Given::None => added().unwrap_or(Origin::Elsewhere),
            Given::By(origin) => added().unwrap_or_else(|| origin.clone()),
            Given::Each(each) => each.get(&fingerprint).cloned().or_else(added).unwrap_or(Origin::Variable),
        }
    }

    pub(crate) fn added_at(&self, fingerprint: Fingerprint) -> Option<SystemTime> {
        self.added.get(&fingerprint).map(|added| added.at)
    }
}

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

/// Puts keys in order; those that are equal stay as they are.
pub(crate) fn sort(keys: &mut [KeyStats], by: Sort) {
    match by {
        Sort::Weight => keys.sort_by(|a, b| descending(a.health.weight(), b.health.weight())),
        Sort::LastUsed => keys.sort_by_key(|key| Reverse(key.last_used)),
        Sort::Errors => keys.sort_by_key(|key| Reverse(key.health.error_count())),
        Sort::State => keys.sort_by_key(|key| rank(key.state)),
        Sort::Label => keys.sort_by(|a, b| (a.label.is_none(), &a.label).cmp(&(b.label.is_none(), &b.label))),
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

/// So many digits tell the fingerprints of these keys apart.
pub(crate) fn digits(keys: &[KeyStats]) -> usize {
    let mut names: Vec<Fingerprint> = keys.iter().map(|key| key.fingerprint).collect();
    names.sort_unstable();
    let common = |a: &Fingerprint, b: &Fingerprint| {
        let pairs = a.as_bytes().iter().zip(b.as_bytes());
        let same = pairs.clone().take_while(|(a, b)| a == b).count();
        let half = pairs.skip(same).next().is_some_and(|(a, b)| a >> 4 == b >> 4);
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
    let ended = key.successes + key.failures;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 calls")]
    let part = key.successes as f64 / ended as f64;
    (ended > 0).then_some(part)
}

/// A key in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct KeyJson<'a> {
    fingerprint: String,
    /// Where it was asked for in so many words.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    masked: &'a str,
    label: Option<&'a str>,
    group: Option<&'a str>,
    origin: &'static str,
    source: Option<String>,
    state: &'static str,
    /// When it comes back by itself.
    back_at: Option<Utc>,
    weight: f64,
    effective_weight: f64,
    health: f64,
    error_count: u64,
    consecutive_errors: u32,
    last_error: Option<LastErrorJson>,
    calls: u64,
    uses: u64,
    successes: u64,
    failures: u64,
    throttled: u64,
    success_rate: Option<f64>,
    limits: LimitsJson,
    learned_rpm: Option<u32>,
    used_in_minute: Option<u32>,
    used_today: Option<u32>,
    tokens_in_minute: Option<u64>,
    scopes: Vec<ScopeJson<'a>>,
    last_used: Option<Utc>,
    added_at: Option<Utc>,
}

#[derive(Debug, Serialize)]
struct LastErrorJson {
    at: Utc,
    status: Option<u16>,
    reason: &'static str,
}

#[derive(Debug, Serialize)]
struct LimitsJson {
    rpm: Option<u32>,
    rpd: Option<u32>,
    tpm: Option<u32>,
    concurrency: Option<u32>,
}

#[derive(Debug, Serialize)]
struct ScopeJson<'a> {
    scope: &'a str,
    health: f64,
    cooldown_until: Option<Utc>,
    limits: LimitsJson,
    learned_rpm: Option<u32>,
    used_in_minute: Option<u32>,
    used_today: Option<u32>,
}

impl<'a> KeyJson<'a> {
    pub(crate) fn new(key: &'a KeyStats, origins: &Origins) -> Self {
        let origin = origins.of(key.fingerprint);
        let health = &key.health;
        let last = health.last_failure();
        Self {
            fingerprint: key.fingerprint.to_string(),
            key: None,
            masked: &key.masked,
            label: key.label.as_deref(),
            group: key.group.as_deref(),
            origin: origin.name(),
            source: origin.source(),
            state: state_name(key.state),
            back_at: back_at(key).map(Utc),
            weight: health.weight(),
            effective_weight: health.effective_weight(),
            health: health.factor(),
            error_count: health.error_count(),
            consecutive_errors: health.consecutive_errors(),
            last_error: last.map(|last| LastErrorJson {
                at: Utc(last.at),
                status: last.status,
                reason: last.reason.name(),
            }),
            calls: key.begun,
            uses: key.calls,
            successes: key.successes,
            failures: key.failures,
            throttled: key.throttled,
            success_rate: success_rate(key),
            limits: limits(key.limits),
            learned_rpm: key.learned_rpm,
            used_in_minute: key.used_in_minute,
            used_today: key.used_today,
            tokens_in_minute: key.tokens_in_minute,
            scopes: key.scopes.iter().map(scope).collect(),
            last_used: key.last_used.map(Utc),
            added_at: origins.added_at(key.fingerprint).map(Utc),
        }
    }

    /// With the key itself, if it is known.
    pub(crate) fn revealing(self, key: Option<&'a str>) -> Self {
        Self { key, ..self }
    }
}

fn limits(limits: Limits) -> LimitsJson {
    let number = |limit: Option<std::num::NonZeroU32>| limit.map(std::num::NonZeroU32::get);
    let Limits { rpm, rpd, tpm, concurrency } = limits;
    LimitsJson { rpm: number(rpm), rpd: number(rpd), tpm: number(tpm), concurrency: number(concurrency) }
}

fn scope(scope: &ScopeStats) -> ScopeJson<'_> {
    ScopeJson {
        scope: &scope.scope,
        health: scope.health.factor(),
        cooldown_until: scope.health.cooldown_until().map(Utc),
        limits: limits(scope.limits),
        learned_rpm: scope.learned_rpm,
        used_in_minute: scope.used_in_minute,
        used_today: scope.used_today,
    }
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
        for key in keys {
            count.total += 1;
            match key.state {
                KeyState::Available | KeyState::HalfOpen => count.available += 1,
                KeyState::CoolingDown => count.cooling_down += 1,
                KeyState::Limited { .. } => count.limited += 1,
                KeyState::Busy => count.busy += 1,
                KeyState::Disabled => count.disabled += 1,
            }
        }
        count
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
        let there = parts.iter().filter(|(number, _)| *number > 0);
        let words: Vec<String> =
            there.map(|(number, what)| format!("{} {what}", super::output::style::number(*number as u64))).collect();
        words.join(", ")
    }
}

/// Keys by the name of a group they are in, in the order of the names; those in none are last.
pub(crate) fn grouped<'a>(
    stats: &'a Stats,
    name: impl Fn(&KeyStats) -> Option<String>,
) -> Vec<(Option<String>, Vec<&'a KeyStats>)> {
    let mut groups: HashMap<Option<String>, Vec<&KeyStats>> = HashMap::new();
    for key in &stats.keys {
        groups.entry(name(key)).or_default().push(key);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|(a, _), (b, _)| (a.is_none(), a).cmp(&(b.is_none(), b)));
    groups
}
