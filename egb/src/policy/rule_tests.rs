//! Rules that users set, and the presets.

use std::time::{Duration, SystemTime};

use super::*;
use crate::clock::Zone;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn now() -> SystemTime {
    // Monday 2026-11-23 12:00 UTC, 04:00 in California.
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_435_200)
}

fn after(policy: &Policy, verdicts: &[Verdict]) -> Health {
    verdicts.iter().fold(Health::new(1.0), |health, verdict| policy.next(&health, verdict, now()))
}

fn wait(health: &Health) -> Duration {
    health.cooldown_until().map_or(Duration::ZERO, |until| until.duration_since(now()).unwrap())
}

fn status(status: u16) -> Verdict {
    Verdict::status(status)
}

fn of(reason: Reason) -> Verdict {
    Verdict::Failure(Failure::new(reason))
}

#[test]
fn a_rule_of_the_users_replaces_the_row_it_fits_and_no_other() {
    let policy = Policy::default().on(429, Rule::cooldown(10 * SECOND, 20 * SECOND));
    assert!((10 * SECOND..13 * SECOND).contains(&wait(&after(&policy, &[status(429)]))));
    let third = after(&policy, &[status(429), status(429), status(429)]);
    assert_eq!(wait(&third), 20 * SECOND, "the longest is the longest, jitter or not");
    assert_eq!(after(&policy, &[status(403)]), after(&Policy::default(), &[status(403)]));
    assert_eq!(after(&policy, &[status(428)]), after(&Policy::default(), &[status(428)]));
}

#[test]
fn the_last_of_several_rules_that_fit_counts() {
    let policy = Policy::default().on(500..=599, Rule::ignore()).on(503, Rule::disable());
    assert!(after(&policy, &[status(503)]).is_disabled());
    assert_eq!(after(&policy, &[status(500)]).consecutive_errors(), 0);
    let policy = Policy::default().on(503, Rule::disable()).on(Reason::Server, Rule::ignore());
    assert!(!after(&policy, &[status(503)]).is_disabled());
}

#[test]
fn a_rule_fits_by_status_by_range_by_reason_or_by_both() {
    let when = |when: When, failure: &Failure| when.matches(failure);
    let (throttled, spent) = (Failure::status(429), Failure::status(429).with_reason(Reason::DailyQuota));
    assert!(when(429.into(), &throttled) && when(429.into(), &spent));
    assert!(when((400..=429).into(), &throttled) && !when((430..=499).into(), &throttled));
    assert!(when(Reason::DailyQuota.into(), &spent) && !when(Reason::DailyQuota.into(), &throttled));
    assert!(when((429, Reason::DailyQuota).into(), &spent) && !when((429, Reason::DailyQuota).into(), &throttled));
    assert!(!when((400..=599).into(), &Failure::new(Reason::Network)), "no status is in no range");
}

#[test]
fn a_cooldown_keeps_to_what_the_server_names() {
    let asked = Verdict::Failure(Failure::status(403).with_retry_after(7 * SECOND));
    assert_eq!(wait(&after(&Policy::default(), std::slice::from_ref(&asked))), 7 * SECOND);
    let policy = Policy::default().on(403, Rule::circuit(1, HOUR, HOUR));
    assert_eq!(wait(&after(&policy, &[asked])), HOUR, "a circuit does not close before its time");
}

#[test]
fn setback_and_disabling_are_set_apart_from_the_wait() {
    let policy = Policy::default().on(429, Rule::count().setback(0.5).disable_after(2));
    let once = after(&policy, &[status(429)]);
    assert_eq!((once.effective_weight(), once.cooldown_until(), once.is_disabled()), (0.5, None, false));
    assert!(after(&policy, &[status(429), status(429)]).is_disabled());
    assert!(!after(&policy, &[status(429), Verdict::Success, status(429)]).is_disabled());
    let policy = Policy::default().on(400, Rule::ignore().disable_after(0));
    assert!(!after(&policy, &[status(400)]).is_disabled(), "what is ignored is ignored");
}

#[test]
fn failures_without_a_count_of_their_own_double_their_wait_too() {
    let policy = Policy::default().on(Reason::Request, Rule::cooldown(SECOND, HOUR));
    assert!((SECOND..2 * SECOND).contains(&wait(&after(&policy, &[status(400)]))));
    let thrice = after(&policy, &[status(400), status(404), status(400)]);
    assert!((4 * SECOND..=5 * SECOND).contains(&wait(&thrice)), "{:?}", wait(&thrice));
}

#[test]
fn a_circuit_opens_after_as_many_failures_as_the_rule_says_and_only_a_success_closes_it() {
    let policy = Policy::default().on(Reason::Server, Rule::circuit(2, 10 * SECOND, HOUR));
    assert_eq!(after(&policy, &[status(500)]).cooldown_until(), None);
    let open = after(&policy, &[status(500), status(500)]);
    assert!((10 * SECOND..13 * SECOND).contains(&wait(&open)));
    let later = now() + 20 * SECOND;
    assert!(open.is_half_open(later));
    let closed = policy.next(&open, &Verdict::Success, later);
    assert!(!closed.is_half_open(later));
}

#[test]
#[should_panic(expected = "a setback is a factor above 0 and at most 1, not NaN")]
fn a_setback_that_is_no_number_is_refused() {
    let _ = Rule::count().setback(f64::NAN);
}

#[test]
fn absurd_waits_do_no_harm() {
    for rule in [Rule::cooldown(Duration::MAX, SECOND), Rule::circuit(0, Duration::MAX, Duration::MAX)] {
        let health = after(&Policy::default().on(429, rule), &[status(429), status(429)]);
        assert_eq!(wait(&health), LONGEST_WAIT);
    }
    let health = after(&Policy::default().on(429, Rule::cooldown_until_midnight(Duration::MAX)), &[status(429)]);
    assert_eq!(wait(&health), LONGEST_WAIT);
}

#[test]
fn the_lenient_policy_disables_nothing_and_rests_keys_instead() {
    let policy = Policy::lenient();
    for verdict in [status(401), status(402), status(403), of(Reason::Billing), of(Reason::InvalidKey)] {
        let health = after(&policy, &vec![verdict.clone(); 20]);
        assert!(!health.is_disabled(), "{verdict:?}");
        assert!(wait(&health) >= 4 * HOUR && wait(&health) <= DAY, "{verdict:?}: {:?}", wait(&health));
    }
    assert_eq!(after(&policy, &[status(429)]), after(&Policy::default(), &[status(429)]));
}

#[test]
fn the_passive_policy_counts_and_does_nothing() {
    for code in [401, 402, 403, 429, 500, 503] {
        let health = after(&Policy::passive(), &vec![status(code); 20]);
        assert_eq!((health.effective_weight(), health.cooldown_until(), health.is_disabled()), (1.0, None, false));
        assert_eq!((health.consecutive_errors(), health.error_count()), (20, 20), "{code}");
    }
    assert_eq!(after(&Policy::passive(), &[status(400)]).consecutive_errors(), 0);
}

#[test]
fn rules_replace_those_of_the_classic_policy_too() {
    let policy = Policy::classic().on(400, Rule::ignore());
    assert!(!after(&policy, &[status(400)]).is_disabled());
    assert_eq!(after(&policy, &[status(404)]).effective_weight(), 0.9);
}

#[test]
fn a_key_that_may_revive_rests_and_is_probed() {
    let policy = Policy::default().revive_after(DAY);
    for verdicts in [vec![status(402)], vec![status(403); 3], vec![of(Reason::Billing); 3]] {
        let out = after(&policy, &verdicts);
        assert!(!out.is_disabled(), "{verdicts:?}");
        assert_eq!(wait(&out), DAY, "{verdicts:?}");
        let later = now() + DAY;
        assert!(out.is_half_open(later));
        let still = policy.next(&out, &verdicts[0], later);
        assert!(still.is_half_open(later + DAY) && !still.is_half_open(later + DAY - SECOND), "{verdicts:?}");
        let back = policy.next(&out, &Verdict::Success, later);
        assert!(!back.is_half_open(later) && !back.is_cooling(later));
    }
}

#[test]
fn a_revoked_key_does_not_revive() {
    let policy = Policy::default().revive_after(DAY);
    assert!(after(&policy, &[status(401)]).is_disabled());
    assert!(policy.next_late(&after(&policy, &[status(402)]), &Failure::status(401), now()).is_disabled());
}

#[test]
fn a_day_ends_at_midnight_of_the_zone() {
    let policy = Policy::default().within_zone(Zone::named("UTC").unwrap());
    let many = after(&policy, &vec![of(Reason::DailyQuota); 20]);
    assert_eq!(wait(&many), 12 * HOUR, "12:00 to 24:00");
}
