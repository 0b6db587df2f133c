//! The rules by which a verdict changes a key's health: pure, one table for each [`Policy`].
//! Knows nothing of pools, locks or stores.

use std::time::{Duration, SystemTime};

use crate::clock::next_midnight;
use crate::health::{Health, LastFailure, Streaks};
use crate::outcome::{Failure, Reason, Verdict};

#[cfg(test)]
mod tests;

/// What a success gives back and what failures take of a key's effective weight.
const RECOVERY: f64 = 1.1;
const SETBACK: f64 = 0.8;
const SLIGHT_SETBACK: f64 = 0.9;

/// Failures shrink a key's share to a tenth of its weight and not further, so that it can recover.
const LOWEST_FACTOR: f64 = 0.1;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// No wait is longer, whatever a server says: a month's quota ends within it.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(32 * 24 * 3600);

/// Waits after a 429 that names no time.
const THROTTLED: Backoff = Backoff { first: SECOND, longest: Duration::from_secs(300) };
/// How long a circuit stays open. Resilience4j and Envoy start in the same range.
const CIRCUIT: Backoff = Backoff { first: Duration::from_secs(5), longest: Duration::from_secs(300) };
const FORBIDDEN: Backoff = Backoff { first: Duration::from_secs(300), longest: Duration::from_secs(1200) };
const BILLING: Backoff = Backoff { first: HOUR, longest: Duration::from_secs(4 * 3600) };

/// Failures of one kind in a row that disable a key.
const DISABLED_AFTER: u32 = 3;
/// Server failures in a row that open a key's circuit.
const CIRCUIT_OPENS_AFTER: u32 = 5;

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
/// | [`DailyQuota`](Reason::DailyQuota) | x 0.8 | what the server said (1 min if nothing), doubling, up to midnight US Pacific |
/// | [`Server`](Reason::Server) (5xx) | x 0.8 | after 5 in a row the circuit opens: 5 s .. 5 min, doubling, then one probe |
/// | [`Network`](Reason::Network) (no status) | x 0.9 | as 5xx |
/// | [`Request`](Reason::Request), [`Host`](Reason::Host), [`Model`](Reason::Model), neutral | | |
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy(Rules);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rules {
    #[default]
    Standard,
    Classic,
}

impl Policy {
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
        Self(Rules::Classic)
    }

    /// The health of a key after `verdict`, given at `now`.
    #[must_use]
    pub fn next(&self, health: &Health, verdict: &Verdict, now: SystemTime) -> Health {
        let mut next = health.clone();
        match verdict {
            Verdict::Neutral => return next,
            Verdict::Success => next.consecutive_errors = 0,
            Verdict::Failure(failure) => {
                next.error_count = next.error_count.saturating_add(1);
                next.last_failure =
                    Some(LastFailure { at: now, status: failure.status_code(), reason: failure.reason() });
            }
        }
        match (self.0, verdict) {
            (_, Verdict::Neutral) => {}
            (Rules::Standard, Verdict::Success) => succeed(&mut next, now),
            (Rules::Standard, Verdict::Failure(failure)) => fail(&mut next, failure, now),
            (Rules::Classic, Verdict::Success) => classic_succeed(&mut next),
            (Rules::Classic, Verdict::Failure(failure)) => classic_fail(&mut next, failure),
        }
        next
    }

    /// As [`next`](Self::next), for the failure of a call that began before the key's present
    /// cooldown did: many calls that fail together are one event. It can lengthen the cooldown and
    /// disable an invalid key, but doubles no wait and takes no further share.
    pub(crate) fn next_late(&self, health: &Health, failure: &Failure, now: SystemTime) -> Health {
        let next = self.next(health, &Verdict::Failure(failure.clone()), now);
        let final_word =
            matches!(self.0, Rules::Classic) || failure.reason() == Reason::InvalidKey || is_out_of_money(failure);
        if final_word {
            return next;
        }
        let mut late = Health {
            error_count: next.error_count,
            consecutive_errors: next.consecutive_errors,
            last_failure: next.last_failure,
            ..health.clone()
        };
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
        let effective = match self.0 {
            Rules::Standard => health.weight,
            Rules::Classic => 1.0,
        };
        Health {
            effective,
            error_count: health.error_count,
            last_failure: health.last_failure,
            ..Health::new(health.weight)
        }
    }
}

fn succeed(health: &mut Health, now: SystemTime) {
    health.effective = (health.effective * RECOVERY).min(health.weight);
    // A call that began before the circuit opened may succeed while it is open: it stays open.
    let circuit = if health.is_cooling(now) { health.streaks.circuit } else { 0 };
    health.streaks = Streaks { circuit, ..Default::default() };
}

fn fail(health: &mut Health, failure: &Failure, now: SystemTime) {
    if matches!(failure.reason(), Reason::Request | Reason::Host | Reason::Model | Reason::Balancer) {
        return;
    }
    health.consecutive_errors = health.consecutive_errors.saturating_add(1);
    let streaks = &mut health.streaks;
    match failure.reason() {
        Reason::InvalidKey => health.disabled = true,
        Reason::Billing => {
            streaks.billing = streaks.billing.saturating_add(1);
            health.disabled |= is_out_of_money(failure) || streaks.billing >= DISABLED_AFTER;
            let wait = failure.retry_after().unwrap_or_else(|| BILLING.wait(health.streaks.billing, now));
            rest(health, wait, now);
        }
        Reason::Forbidden => {
            streaks.forbidden = streaks.forbidden.saturating_add(1);
            health.disabled |= streaks.forbidden >= DISABLED_AFTER;
            let wait = FORBIDDEN.wait(health.streaks.forbidden, now);
            shrink(health, SETBACK);
            rest(health, wait, now);
        }
        Reason::RateLimited => {
            streaks.throttled = streaks.throttled.saturating_add(1);
            let wait = failure.retry_after().unwrap_or_else(|| THROTTLED.wait(health.streaks.throttled, now));
            shrink(health, SETBACK);
            rest(health, wait, now);
        }
        Reason::DailyQuota => {
            streaks.daily = streaks.daily.saturating_add(1);
            let wait = daily_wait(streaks.daily, failure.retry_after(), now);
            shrink(health, SETBACK);
            rest(health, wait, now);
        }
        Reason::Server => server_failed(health, SETBACK, failure, now),
        Reason::Network => server_failed(health, SLIGHT_SETBACK, failure, now),
        Reason::Request | Reason::Host | Reason::Model | Reason::Balancer => {}
    }
}

fn server_failed(health: &mut Health, setback: f64, failure: &Failure, now: SystemTime) {
    shrink(health, setback);
    let failed_probe = health.is_half_open(now);
    health.streaks.server = health.streaks.server.saturating_add(1);
    if failed_probe || (health.streaks.circuit == 0 && health.streaks.server >= CIRCUIT_OPENS_AFTER) {
        health.streaks.circuit = health.streaks.circuit.saturating_add(1);
        let wait = CIRCUIT.wait(health.streaks.circuit, now);
        rest(health, failure.retry_after().map_or(wait, |asked| asked.max(wait)), now);
    }
}

/// Google names a `retryDelay` of seconds for daily quotas too. It is right when the limit rolls and
/// wrong when the day's quota is spent, so it is believed at first and doubled when the same key
/// answers so again, until daily quotas reset: <https://ai.google.dev/gemini-api/docs/rate-limits>,
/// "Requests per day (RPD) quotas reset at midnight Pacific time".
fn daily_wait(streak: u32, asked: Option<Duration>, now: SystemTime) -> Duration {
    let asked = asked.unwrap_or(MINUTE).max(SECOND);
    let until_reset = next_midnight(now).duration_since(now).unwrap_or(HOUR);
    doubled(asked, streak, until_reset.max(asked))
}

/// 402 Payment Required (RFC 9110, 15.5.3) is final; a 429 that speaks of money may pass.
fn is_out_of_money(failure: &Failure) -> bool {
    failure.reason() == Reason::Billing && failure.status_code() == Some(402)
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

/// Waits that double from `first` to `longest`.
struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// The wait after the `streak`th failure in a row.
    fn wait(&self, streak: u32, now: SystemTime) -> Duration {
        let wait = doubled(self.first, streak, self.longest);
        wait.mul_f64(1.0 + 0.25 * jitter(now, streak)).min(self.longest)
    }
}

fn doubled(first: Duration, streak: u32, longest: Duration) -> Duration {
    let times = 2_u32.saturating_pow(streak.saturating_sub(1).min(31));
    first.checked_mul(times).map_or(longest, |wait| wait.min(longest))
}

/// A number in [0, 1) that differs from call to call and yet is a pure function of its arguments:
/// the mixing step of `SplitMix64` (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn jitter(now: SystemTime, streak: u32) -> f64 {
    let nanos = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let nanos = u64::try_from(nanos & u128::from(u64::MAX)).unwrap_or_default();
    let mut bits = nanos.wrapping_add(u64::from(streak)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    // 32 bits are plenty for a delay, and fit a float exactly.
    let high = u32::try_from(bits >> 32).unwrap_or_default();
    f64::from(high) / 2_f64.powi(32)
}

fn classic_succeed(health: &mut Health) {
    if health.effective < 10.0 {
        health.effective = (health.effective * RECOVERY).min(10.0);
    }
}

fn classic_fail(health: &mut Health, failure: &Failure) {
    health.consecutive_errors = health.consecutive_errors.saturating_add(1);
    // The original knew errors by status alone, and counted one without a status as a 500.
    match failure.status_code().unwrap_or(500) {
        400 => health.disabled = true,
        403 | 429 | 500 | 502 | 503 | 504 => health.effective = (health.effective * SETBACK).max(LOWEST_FACTOR),
        _ => health.effective = (health.effective * SLIGHT_SETBACK).max(LOWEST_FACTOR),
    }
}
