//! The rules by which a verdict changes a key's health: pure, a table of rows for each [`Policy`].
//! Knows nothing of pools, locks or stores.

use std::time::{Duration, SystemTime};

use self::backoff::doubled;
use self::rule::Action;
pub use self::rule::{Rule, When};
use crate::clock::Zone;
use crate::health::{Health, LastFailure, Past};
use crate::outcome::{Failure, Reason, Verdict};

mod backoff;
mod classic;
mod presets;
mod rule;
#[cfg(test)]
mod rule_tests;
#[cfg(test)]
mod tests;

/// What a success gives back of a key's effective weight.
const RECOVERY: f64 = 1.1;

/// Failures shrink a key's share to a tenth of its weight and not further, so that it can recover.
const LOWEST_FACTOR: f64 = 0.1;

const SECOND: Duration = Duration::from_secs(1);

/// No wait is longer, whatever a server says: a month's quota ends within it.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(32 * 24 * 3600);

/// The rules that turn a verdict into the next health of a key.
///
/// A policy is a value without state: [`next`](Policy::next) decides everything,
/// [`reset`](Policy::reset) undoes it. The default policy:
///
/// | verdict | health | cooldown / disabled |
/// | --- | --- | --- |
/// | success | x 1.1 up to 1.0 | ends a half-open circuit; all counts of failures in a row start anew |
/// | [`InvalidKey`](Reason::InvalidKey) (401) | | disabled |
/// | [`Forbidden`](Reason::Forbidden) (403) | x 0.8 | 5 min, doubling; disabled after 3 in a row |
/// | [`Billing`](Reason::Billing) | | 402: disabled; else 1 h, doubling, disabled after 3 in a row |
/// | [`RateLimited`](Reason::RateLimited) (429) | x 0.8 | what the server said, else 1 s .. 5 min, doubling |
/// | [`DailyQuota`](Reason::DailyQuota) | x 0.8 | what the server said (1 min if nothing), doubling, up to midnight (US Pacific, unless a time zone is set) |
/// | [`Server`](Reason::Server) (5xx) | x 0.8 | after 5 in a row the circuit opens: 5 s .. 5 min, doubling, then one probe |
/// | [`Network`](Reason::Network) (no status) | x 0.9 | as 5xx |
/// | [`Request`](Reason::Request), [`Host`](Reason::Host), [`Model`](Reason::Model), neutral | | |
///
/// What many keys meet at once, with no success between, the balancer holds against none of them: 5xx and no
/// answer when five keys or all in use fail so, 403 when all in use do. So it does with a 5xx that a second key
/// of one retried call meets too.
///
/// [`on`](Policy::on) changes it row by row; [`lenient`](Policy::lenient), [`passive`](Policy::passive) and
/// [`classic`](Policy::classic) are other tables.
///
/// Health never falls below 0.1. A later cooldown never shortens an earlier one. Waits that egb
/// chooses itself are up to a quarter longer at random, so that keys do not all come back at once.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use egb::{Health, Policy, Verdict};
///
/// let (policy, now) = (Policy::default(), SystemTime::now());
/// let health = policy.next(&Health::new(2.0), &Verdict::status(429), now);
/// assert_eq!(health.effective_weight(), 1.6);
/// assert!(health.cooldown_until().unwrap() >= now + Duration::from_secs(1));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "give it to `BalancerBuilder::policy`"]
pub struct Policy {
    /// Of two rows that fit, the later one counts.
    table: Vec<(When, Rule)>,
    /// What becomes of failures that no row fits.
    otherwise: Otherwise,
    revive_after: Option<Duration>,
    zone: Zone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Otherwise {
    Ignore,
    Classic,
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(presets::standard(), Otherwise::Ignore)
    }
}

impl Policy {
    fn new(table: Vec<(When, Rule)>, otherwise: Otherwise) -> Self {
        Self { table, otherwise, revive_after: None, zone: Zone::default() }
    }

    /// The rules of the Python original, to the bit: 400 disables; 403, 429 and 5xx x 0.8; any other
    /// failure x 0.9; never below 0.1; success x 1.1 up to 10; no cooldowns.
    ///
    /// With it a key's share may grow to 10 whatever its configured weight, so configured
    /// proportions are lost over time, and one 400 disables every key of a call that has several.
    /// It is meant for those who move over from Python.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use egb::{Health, Policy, Verdict};
    ///
    /// let health = Policy::classic().next(&Health::new(1.0), &Verdict::status(400), SystemTime::now());
    /// assert!(health.is_disabled());
    /// ```
    pub fn classic() -> Self {
        Self::new(Vec::new(), Otherwise::Classic)
    }

    /// The default policy, but no failure disables a key: a revoked key and one without money rest for an
    /// hour, doubling up to a day; one that is forbidden up to four hours. For those whose keys come back by
    /// themselves, and who look after them otherwise.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use egb::{Health, Policy, Verdict};
    ///
    /// let health = Policy::lenient().next(&Health::new(1.0), &Verdict::status(401), SystemTime::now());
    /// assert!(!health.is_disabled() && health.cooldown_until().is_some());
    /// ```
    pub fn lenient() -> Self {
        Self::new(presets::lenient(), Otherwise::Ignore)
    }

    /// Failures are counted and shown, and change nothing: no cooldown, no smaller share, no key disabled.
    /// For those who want turns and statistics alone, or judge keys by hand ([`Balancer::disable`](crate::Balancer::disable)).
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use egb::{Health, Policy, Verdict};
    ///
    /// let health = Policy::passive().next(&Health::new(1.0), &Verdict::status(401), SystemTime::now());
    /// assert_eq!((health.consecutive_errors(), health.is_disabled(), health.effective_weight()), (1, false, 1.0));
    /// ```
    pub fn passive() -> Self {
        Self::new(presets::passive(), Otherwise::Ignore)
    }

    /// Changes a row, or adds one: failures that fit `when` do what `rule` says, whatever the rows before say
    /// of them.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use egb::{Health, Policy, Rule, Verdict};
    ///
    /// let (minute, now) = (Duration::from_secs(60), SystemTime::now());
    /// let policy = Policy::default().on(429, Rule::cooldown(minute, 10 * minute));
    /// let health = policy.next(&Health::new(1.0), &Verdict::status(429), now);
    /// assert!(health.cooldown_until().unwrap() >= now + minute);
    /// ```
    pub fn on(mut self, when: impl Into<When>, rule: Rule) -> Self {
        self.table.push((when.into(), rule));
        self
    }

    /// A key that failures would disable rests for so long instead; then one call probes it, and it serves
    /// again if that succeeds. One that the provider calls invalid, or that was disabled by hand, stays out.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use egb::{Health, Policy, Verdict};
    ///
    /// let (day, now) = (Duration::from_secs(24 * 3600), SystemTime::now());
    /// let policy = Policy::default().revive_after(day);
    /// let broke = policy.next(&Health::new(1.0), &Verdict::status(402), now);
    /// assert!(broke.is_cooling(now) && broke.is_half_open(now + day));
    /// assert!(policy.next(&broke, &Verdict::status(401), now).is_disabled());
    /// ```
    pub fn revive_after(mut self, rest: Duration) -> Self {
        self.revive_after = Some(rest);
        self
    }

    /// In the time zone whose midnight ends a day.
    pub(crate) fn within_zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    /// The health of a key after `verdict`, given at `now`.
    #[must_use]
    pub fn next(&self, health: &Health, verdict: &Verdict, now: SystemTime) -> Health {
        let mut next = health.clone();
        match verdict {
            Verdict::Neutral => {}
            Verdict::Success => {
                next.past.end_errors_in_a_row();
                match self.otherwise {
                    Otherwise::Ignore => succeed(&mut next, now),
                    Otherwise::Classic => classic::succeed(&mut next),
                }
            }
            Verdict::Failure(failure) => {
                next.past.error_count = next.past.error_count.saturating_add(1);
                next.past.last_failure =
                    Some(LastFailure { at: now, status: failure.status_code(), reason: failure.reason() });
                match (self.rule(failure), self.otherwise) {
                    (Some(rule), _) => self.fail(&mut next, rule, failure, now),
                    (None, Otherwise::Classic) => classic::fail(&mut next, failure),
                    (None, Otherwise::Ignore) => {}
                }
            }
        }
        next
    }

    /// As [`next`](Self::next), for the failure of a call that began before the key's present
    /// cooldown did: many calls that fail together are one event. It can lengthen the cooldown and
    /// disable an invalid key, but doubles no wait and takes no further share.
    pub(crate) fn next_late(&self, health: &Health, failure: &Failure, now: SystemTime) -> Health {
        let next = self.next(health, &Verdict::Failure(failure.clone()), now);
        let is_final_word = match self.rule(failure) {
            Some(rule) => rule.disables_at_once(),
            None => self.otherwise == Otherwise::Classic,
        };
        if is_final_word {
            return next;
        }
        let past = Past { streaks: health.past.streaks, ..(*next.past).clone() };
        let mut late = Health { past: past.into(), ..health.clone() };
        if let Some(wait) = failure.retry_after()
            && next.cooldown_until != health.cooldown_until
        {
            rest(&mut late, wait, now);
        }
        late
    }

    /// The health of a key that an operator resets: its full share, enabled, no cooldown. The count
    /// of errors stays. The classic policy resets the share to 1, whatever the configured weight.
    #[must_use]
    pub fn reset(&self, health: &Health) -> Health {
        let effective = match self.otherwise {
            Otherwise::Ignore => health.weight,
            Otherwise::Classic => 1.0,
        };
        let Past { error_count, last_failure, .. } = *health.past;
        let past = Past { error_count, last_failure, ..Past::default() };
        Health { effective, past: past.into(), ..Health::new(health.weight) }
    }

    /// A health that comes from elsewhere, within the bounds of this policy: the classic one alone lets a key's share
    /// grow beyond its weight.
    pub(crate) fn bounded(&self, mut health: Health) -> Health {
        if self.otherwise == Otherwise::Ignore {
            health.effective = health.effective.min(health.weight);
        }
        health
    }

    fn rule(&self, failure: &Failure) -> Option<&Rule> {
        self.table.iter().rev().find(|(when, _)| when.matches(failure)).map(|(_, rule)| rule)
    }

    fn fail(&self, health: &mut Health, rule: &Rule, failure: &Failure, now: SystemTime) {
        if rule.action == Action::Ignore || failure.reason() == Reason::Balancer {
            return;
        }
        health.past.consecutive_errors = health.past.consecutive_errors.saturating_add(1);
        let was_probe = health.is_half_open(now);
        let streak = lengthen_streak(health, failure.reason());
        shrink(health, rule.setback);
        let asked = failure.retry_after();
        match &rule.action {
            Action::Ignore | Action::Count | Action::Disable => {}
            Action::Rest(backoff) => rest(health, asked.unwrap_or_else(|| backoff.wait(streak, now)), now),
            Action::RestOfTheDay(first) => rest(health, self.daily_wait(streak, asked.unwrap_or(*first), now), now),
            Action::Open(after, backoff) => {
                if was_probe || (health.past.streaks.circuit == 0 && streak >= *after) {
                    health.past.streaks.circuit = health.past.streaks.circuit.saturating_add(1);
                    let wait = backoff.wait(health.past.streaks.circuit, now);
                    rest(health, asked.map_or(wait, |asked| asked.max(wait)), now);
                }
            }
        }
        if rule.disables_at_once() || rule.disable_after.is_some_and(|failures| streak >= failures) {
            self.put_out(health, failure.reason(), now);
        }
    }

    fn put_out(&self, health: &mut Health, reason: Reason, now: SystemTime) {
        match self.revive_after {
            Some(wait) if reason != Reason::InvalidKey => {
                // With an open circuit its rest ends with a probe.
                health.past.streaks.circuit = health.past.streaks.circuit.max(1);
                rest(health, wait, now);
            }
            _ => health.disabled = true,
        }
    }

    /// Google names a `retryDelay` of seconds for daily quotas too. It is right when the limit rolls and
    /// wrong when the day's quota is spent, so it is believed at first and doubled when the same key
    /// answers so again, until daily quotas reset: <https://ai.google.dev/gemini-api/docs/rate-limits>,
    /// "Requests per day (RPD) quotas reset at midnight Pacific time".
    fn daily_wait(&self, streak: u32, asked: Duration, now: SystemTime) -> Duration {
        let asked = asked.max(SECOND);
        let until_reset = self.zone.next_midnight(now).duration_since(now).unwrap_or(asked);
        doubled(asked, streak, until_reset.max(asked))
    }
}

fn succeed(health: &mut Health, now: SystemTime) {
    health.effective = (health.effective * RECOVERY).min(health.weight);
    // A call that began before the circuit opened may succeed while it is open: it stays open.
    let circuit = if health.is_cooling(now) { health.past.streaks.circuit } else { 0 };
    health.past.end_streaks(circuit);
}

/// Counts a failure, and returns how many of its kind there were since the last success; of those that have
/// no count of their own, how many of any kind.
fn lengthen_streak(health: &mut Health, reason: Reason) -> u32 {
    let streaks = &mut health.past.streaks;
    let streak = match reason {
        Reason::Forbidden => &mut streaks.forbidden,
        Reason::Billing => &mut streaks.billing,
        Reason::RateLimited => &mut streaks.throttled,
        Reason::DailyQuota => &mut streaks.daily,
        Reason::Server | Reason::Network => &mut streaks.server,
        Reason::InvalidKey | Reason::Model | Reason::Request | Reason::Host | Reason::Balancer => {
            return health.past.consecutive_errors;
        }
    };
    *streak = streak.saturating_add(1);
    *streak
}

fn shrink(health: &mut Health, factor: f64) {
    let lowest = (health.weight * LOWEST_FACTOR).min(health.effective);
    health.effective = (health.effective * factor).max(lowest);
}

/// Cools the key down for `wait`; a cooldown that lasts longer stays.
fn rest(health: &mut Health, wait: Duration, now: SystemTime) {
    let until = now + wait.min(LONGEST_WAIT);
    health.cooldown_until = Some(health.cooldown_until.map_or(until, |earlier| earlier.max(until)));
}
