//! The rows of a policy's table: which failures, and what they do to a key.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::backoff::Backoff;
use crate::outcome::{Failure, Reason};

/// What failures take of a key's effective weight, if nothing else is said.
const SETBACK: f64 = 0.8;

/// Which failures a [`Rule`] is for: those with a status, with one of a range of statuses, for a reason, or
/// both at once.
///
/// ```
/// use egb::{Policy, Reason, Rule};
///
/// Policy::default()
///     .on(429, Rule::disable())
///     .on(500..=599, Rule::count())
///     .on(Reason::Network, Rule::ignore())
///     .on((402, Reason::Billing), Rule::disable());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    statuses: Option<RangeInclusive<u16>>,
    reason: Option<Reason>,
}

impl When {
    pub(super) fn matches(&self, failure: &Failure) -> bool {
        let has_status =
            |statuses: &RangeInclusive<u16>| failure.status_code().is_some_and(|it| statuses.contains(&it));
        self.statuses.as_ref().is_none_or(has_status) && self.reason.is_none_or(|reason| reason == failure.reason())
    }
}

impl From<u16> for When {
    fn from(status: u16) -> Self {
        (status..=status).into()
    }
}

impl From<RangeInclusive<u16>> for When {
    fn from(statuses: RangeInclusive<u16>) -> Self {
        Self { statuses: Some(statuses), reason: None }
    }
}

impl From<Reason> for When {
    fn from(reason: Reason) -> Self {
        Self { statuses: None, reason: Some(reason) }
    }
}

impl From<(u16, Reason)> for When {
    fn from((status, reason): (u16, Reason)) -> Self {
        Self { statuses: Some(status..=status), reason: Some(reason) }
    }
}

/// What a failure does to its key, in a [`Policy`](crate::Policy).
///
/// Whatever the rule, the failure is counted in [`Health::error_count`](crate::Health::error_count) and
/// shown as [`Health::last_failure`](crate::Health::last_failure). Rules that rest the key keep to the time
/// that the server names, if it names one (`Retry-After`). "In a row" is without a success between.
///
/// ```
/// use std::time::Duration;
/// use egb::{Policy, Reason, Rule};
///
/// let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
/// // This provider answers 403 for a while to who calls too fast.
/// let policy = Policy::default().on(403, Rule::cooldown(minute, hour).setback(0.5).disable_after(10));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "give it to `Policy::on`"]
pub struct Rule {
    pub(super) action: Action,
    /// Factor for the effective weight.
    pub(super) setback: f64,
    /// Failures in a row that disable.
    pub(super) disable_after: Option<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Ignore,
    Count,
    Disable,
    Rest(Backoff),
    /// First wait; what follows doubles up to midnight.
    RestOfTheDay(Duration),
    /// Failures in a row that open the circuit, and how long it stays so.
    Open(u32, Backoff),
}

impl Rule {
    /// The failure is not held against the key: it was the request's or this host's fault.
    pub fn ignore() -> Self {
        Self::new(Action::Ignore, 1.0)
    }

    /// The failure counts as one in a row, and takes a share if [`setback`](Self::setback) says so.
    pub fn count() -> Self {
        Self::new(Action::Count, 1.0)
    }

    /// The key is out until someone enables it.
    pub fn disable() -> Self {
        Self::new(Action::Disable, 1.0)
    }

    /// The key rests for `first`, and after further such failures in a row twice as long each time, up to
    /// `longest`; its share shrinks to 0.8 of what it was.
    pub fn cooldown(first: Duration, longest: Duration) -> Self {
        Self::new(Action::Rest(Backoff::new(first, longest)), SETBACK)
    }

    /// As [`cooldown`](Self::cooldown) up to the next midnight of the balancer's time zone
    /// ([`time_zone`](crate::BalancerBuilder::time_zone)), when daily quotas begin anew. What the server names is
    /// believed at first and doubled when the key fails so again.
    pub fn cooldown_until_midnight(first: Duration) -> Self {
        Self::new(Action::RestOfTheDay(first), SETBACK)
    }

    /// A circuit breaker: after so many failures in a row the key rests for `first`, then one call probes it.
    /// When the probe fails it rests twice as long, up to `longest`; when it succeeds the key serves again. The share shrinks to 0.8 of what it was at each failure.
    pub fn circuit(after: u32, first: Duration, longest: Duration) -> Self {
        Self::new(Action::Open(after.max(1), Backoff::new(first, longest)), SETBACK)
    }

    fn new(action: Action, setback: f64) -> Self {
        Self { action, setback, disable_after: None }
    }

    /// The failure shrinks the key's share to this part of what it was, and not below a tenth of its weight.
    ///
    /// # Panics
    ///
    /// When `factor` is not above 0 and at most 1.
    pub fn setback(mut self, factor: f64) -> Self {
        assert!(factor > 0.0 && factor <= 1.0, "a setback is a factor above 0 and at most 1, not {factor}");
        self.setback = factor;
        self
    }

    /// So many such failures in a row disable the key; at least one.
    pub fn disable_after(mut self, failures: u32) -> Self {
        self.disable_after = Some(failures.max(1));
        self
    }

    /// Whether one failure alone is the end of the key.
    pub(super) fn disables_at_once(&self) -> bool {
        self.action == Action::Disable || self.disable_after == Some(1)
    }
}
