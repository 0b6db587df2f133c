//! A key in JSON, the same in every command. The names of fields are promised in `egb/docs/cli.md`.

use std::num::NonZeroU32;

use serde::Serialize;

use super::{Origins, back_at, success_rate};
use crate::cli::output::style::state_name;
use crate::cli::output::time::Utc;
use crate::limits::Limits;
use crate::stats::{KeyStats, ScopeStats};

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
    let number = |limit: Option<NonZeroU32>| limit.map(NonZeroU32::get);
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

/// A key that was changed, in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct ChangedJson<'a> {
    fingerprint: String,
    masked: &'a str,
    label: Option<&'a str>,
}

impl<'a> ChangedJson<'a> {
    pub(crate) fn all(keys: &[&'a KeyStats]) -> Vec<Self> {
        let one = |key: &&'a KeyStats| Self {
            fingerprint: key.fingerprint.to_string(),
            masked: &key.masked,
            label: key.label.as_deref(),
        };
        keys.iter().map(one).collect()
    }
}
