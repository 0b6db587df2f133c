use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::health::Streaks;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;
const HOUR: Duration = Duration::from_secs(3600);
const MINUTES: Duration = Duration::from_secs(60);

fn now() -> SystemTime {
    // Monday 2026-11-23 12:00 UTC, 04:00 in California.
    NOW + Duration::from_secs(1_795_435_200)
}

fn after(verdicts: &[Verdict]) -> Health {
    verdicts.iter().fold(Health::new(1.0), |health, verdict| Policy::default().next(&health, verdict, now()))
}

fn failure(reason: Reason) -> Verdict {
    Verdict::Failure(Failure::new(reason))
}

fn wait(health: &Health) -> Duration {
    health.cooldown_until().map_or(Duration::ZERO, |until| until.duration_since(now()).unwrap())
}

#[derive(Deserialize)]
struct Sequence {
    initial_weight: f64,
    steps: Vec<Step>,
    states: Vec<State>,
}

#[derive(Deserialize)]
struct Step {
    op: String,
    code: Option<u16>,
}

#[derive(Deserialize)]
struct State {
    weight: f64,
    is_available: bool,
    error_count: u64,
    consecutive_errors: u32,
}

#[test]
fn classic_reproduces_every_golden_sequence_to_the_bit() {
    let text = include_str!("../../../tests/data/golden_health.json");
    let sequences: Vec<Sequence> = serde_json::from_str(text).unwrap();
    assert_eq!(sequences.len(), 220);
    let policy = Policy::classic();
    for (number, sequence) in sequences.iter().enumerate() {
        assert_eq!(sequence.steps.len(), sequence.states.len());
        let mut health = Health::new(sequence.initial_weight);
        for (step, expected) in sequence.steps.iter().zip(&sequence.states) {
            health = match step.op.as_str() {
                "error" => policy.next(&health, &Verdict::Failure(Failure::status(step.code.unwrap())), now()),
                "success" => policy.next(&health, &Verdict::Success, now()),
                "reset" => policy.reset(&health),
                other => panic!("unknown step {other}"),
            };
            let place = format!("sequence {number}");
            assert_eq!(health.effective_weight().to_bits(), expected.weight.to_bits(), "{place}");
            assert_eq!(!health.is_disabled(), expected.is_available, "{place}");
            assert_eq!(health.error_count(), expected.error_count, "{place}");
            assert_eq!(health.consecutive_errors(), expected.consecutive_errors, "{place}");
        }
    }
}

#[test]
fn a_success_restores_a_tenth_of_the_share_and_never_more_than_the_weight() {
    let health = after(&[Verdict::status(500), Verdict::Success]);
    assert_eq!(health.effective_weight(), 0.8 * 1.1);
    assert_eq!(health.consecutive_errors(), 0);
    let health = after(&[Verdict::status(500), Verdict::Success, Verdict::Success, Verdict::Success]);
    assert_eq!(health.effective_weight(), 1.0);
}

#[test]
fn an_invalid_key_is_disabled_at_once_and_stays_so() {
    assert!(after(&[Verdict::status(401)]).is_disabled());
    assert!(after(&[failure(Reason::InvalidKey)]).is_disabled());
    assert!(after(&[Verdict::status(401), Verdict::Success]).is_disabled());
}

#[test]
fn a_402_disables_and_other_money_trouble_rests_an_hour_first() {
    assert!(after(&[Verdict::status(402)]).is_disabled());
    let health = after(&[Verdict::Failure(Failure::status(429).with_reason(Reason::Billing))]);
    assert!(!health.is_disabled());
    assert!(wait(&health) >= Duration::from_secs(3600));
    assert!(after(&[failure(Reason::Billing), failure(Reason::Billing), failure(Reason::Billing)]).is_disabled());
}

#[test]
fn a_forbidden_call_rests_the_key_five_minutes_doubling_and_the_third_in_a_row_disables_it() {
    let once = after(&[Verdict::status(403)]);
    assert_eq!(once.effective_weight(), 0.8);
    assert!((5 * MINUTES..7 * MINUTES).contains(&wait(&once)), "{:?}", wait(&once));
    let twice = after(&[Verdict::status(403), Verdict::status(403)]);
    assert!((10 * MINUTES..13 * MINUTES).contains(&wait(&twice)), "{:?}", wait(&twice));
    assert!(!twice.is_disabled());
    assert!(after(&[Verdict::status(403), Verdict::status(403), Verdict::status(403)]).is_disabled());
    let mended = [Verdict::status(403), Verdict::status(403), Verdict::Success, Verdict::status(403)];
    assert!(!after(&mended).is_disabled());
}

#[test]
fn a_429_rests_the_key_as_long_as_the_server_says() {
    let asked = Failure::status(429).with_retry_after(Duration::from_millis(36_429));
    let health = after(&[Verdict::Failure(asked)]);
    assert_eq!(wait(&health), Duration::from_millis(36_429));
    assert_eq!(health.effective_weight(), 0.8);
}

#[test]
fn a_429_without_a_time_doubles_from_a_second_to_five_minutes() {
    let mut health = Health::new(1.0);
    let mut waits = Vec::new();
    for _ in 0..12 {
        health.cooldown_until = None;
        health = Policy::default().next(&health, &Verdict::status(429), now());
        waits.push(wait(&health).as_secs_f64());
    }
    for (turn, wait) in waits.iter().enumerate() {
        let base = 2_f64.powi(i32::try_from(turn).unwrap()).min(300.0);
        assert!((base..=(base * 1.25).min(300.0)).contains(wait), "wait {turn} is {wait} s");
    }
}

#[test]
fn a_daily_quota_that_says_so_again_doubles_up_to_midnight_in_california() {
    let answer =
        || Verdict::Failure(Failure::status(429).with_reason(Reason::DailyQuota).with_retry_after(30 * SECOND));
    assert_eq!(wait(&after(&[answer()])), 30 * SECOND);
    assert_eq!(wait(&after(&[answer(), answer()])), 60 * SECOND);
    assert_eq!(wait(&after(&[answer(), answer(), answer()])), 120 * SECOND);
    let many = after(&std::array::from_fn::<_, 20, _>(|_| answer()));
    assert_eq!(wait(&many), 20 * HOUR, "04:00 to 24:00");
}

#[test]
fn five_server_failures_in_a_row_open_the_circuit() {
    let four = after(&[Verdict::status(500), Verdict::status(502), Verdict::status(503), failure(Reason::Network)]);
    assert_eq!(four.cooldown_until(), None);
    assert!((four.effective_weight() - 0.8 * 0.8 * 0.8 * 0.9).abs() < 1e-12);
    let five = Policy::default().next(&four, &Verdict::status(504), now());
    assert!(five.is_cooling(now()));
    assert!(!five.is_half_open(now()));
    assert!(five.is_half_open(now() + 7 * SECOND));
}

#[test]
fn a_failed_probe_opens_the_circuit_for_twice_as_long_and_a_success_closes_it() {
    let open = after(&std::array::from_fn::<_, 5, _>(|_| Verdict::status(503)));
    let later = now() + 10 * SECOND;
    assert!(open.is_half_open(later));
    let failed = Policy::default().next(&open, &Verdict::status(503), later);
    let rest = failed.cooldown_until().unwrap().duration_since(later).unwrap();
    assert!((10 * SECOND..13 * SECOND).contains(&rest), "{rest:?}");
    let closed = Policy::default().next(&open, &Verdict::Success, later);
    assert!(!closed.is_half_open(later));
    assert_eq!(closed.past.streaks, Streaks::default());
}

#[test]
fn a_success_from_before_the_circuit_opened_does_not_close_it() {
    let open = after(&std::array::from_fn::<_, 5, _>(|_| Verdict::status(503)));
    let still = Policy::default().next(&open, &Verdict::Success, now() + SECOND);
    assert!(still.is_half_open(now() + 10 * SECOND));
}

#[test]
fn what_is_not_the_keys_fault_leaves_it_as_it_was() {
    let before = after(&[Verdict::status(500), Verdict::status(429)]);
    for status in [400, 404, 405, 408, 409, 413, 418, 422, 451] {
        let next = Policy::default().next(&before, &Verdict::status(status), now());
        assert_eq!(next.effective_weight(), before.effective_weight(), "{status}");
        assert_eq!(next.cooldown_until(), before.cooldown_until(), "{status}");
        assert_eq!(next.consecutive_errors(), before.consecutive_errors(), "{status}");
        assert_eq!(next.past.streaks, before.past.streaks, "{status}");
        assert!(!next.is_disabled(), "{status}");
    }
    assert_eq!(Policy::default().next(&before, &Verdict::Neutral, now()), before);
}

#[test]
fn a_later_cooldown_never_shortens_an_earlier_one() {
    let long = Verdict::Failure(Failure::status(429).with_retry_after(HOUR));
    let short = Verdict::Failure(Failure::status(429).with_retry_after(SECOND));
    assert_eq!(wait(&after(&[long, short])), HOUR);
}

#[test]
fn a_server_that_asks_for_years_gets_a_month() {
    let health = after(&[Verdict::Failure(Failure::status(429).with_retry_after(Duration::MAX))]);
    assert_eq!(wait(&health), LONGEST_WAIT);
    assert_eq!(LONGEST_WAIT, 32 * 24 * HOUR);
}

#[test]
fn calls_that_fail_together_count_as_one_failure_of_the_key() {
    let first = after(&[Verdict::status(403)]);
    let late = Policy::default().next_late(&first, &Failure::status(403), now());
    assert_eq!(
        (late.past.streaks, late.effective, late.cooldown_until),
        (first.past.streaks, first.effective, first.cooldown_until)
    );
    assert_eq!(late.error_count(), 2);
    let longer = Failure::status(429).with_retry_after(HOUR);
    assert_eq!(wait(&Policy::default().next_late(&first, &longer, now())), HOUR);
    assert!(Policy::default().next_late(&first, &Failure::status(401), now()).is_disabled());
    // What no rule is for changes nothing, but in the classic policy, which knows no calls that fail together.
    assert_eq!(Policy::default().next_late(&first, &Failure::status(400), now()).effective, first.effective);
    let late = Policy::classic().next_late(&first, &Failure::status(429), now());
    assert_eq!(late.effective, first.effective * 0.8);
}

#[test]
fn the_share_of_a_stored_health_is_cut_to_the_weight_by_all_but_the_classic_policy() {
    let grown = || Health { effective: 10.0, ..Health::new(2.0) };
    assert_eq!(Policy::default().bounded(grown()).effective, 2.0);
    assert_eq!(Policy::classic().bounded(grown()).effective, 10.0);
}

#[test]
fn a_reset_gives_the_full_share_back_and_keeps_the_count_of_errors() {
    let health = after(&[Verdict::status(403), Verdict::status(429), Verdict::status(401)]);
    let reset = Policy::default().reset(&health);
    assert_eq!(reset.effective_weight(), 1.0);
    assert!(!reset.is_disabled());
    assert_eq!((reset.cooldown_until(), reset.consecutive_errors(), reset.error_count()), (None, 0, 3));
    assert_eq!(reset.last_failure().map(|failure| failure.status), Some(Some(401)), "it is shown still");
}

fn any_verdict() -> impl Strategy<Value = Verdict> {
    let reason = prop::sample::select(vec![
        Reason::InvalidKey,
        Reason::Billing,
        Reason::Forbidden,
        Reason::RateLimited,
        Reason::DailyQuota,
        Reason::Model,
        Reason::Server,
        Reason::Network,
        Reason::Request,
        Reason::Host,
    ]);
    prop_oneof![
        3 => Just(Verdict::Success),
        1 => Just(Verdict::Neutral),
        3 => any::<u16>().prop_map(|status| Verdict::Failure(Failure::status(status))),
        3 => (reason, prop::option::of(any::<u64>())).prop_map(|(reason, wait)| {
            let failure = Failure::new(reason);
            Verdict::Failure(match wait {
                Some(millis) => failure.with_retry_after(Duration::from_millis(millis)),
                None => failure,
            })
        }),
    ]
}

proptest! {
    #[test]
    fn health_stays_in_bounds_whatever_happens(
        weight in 1e-6..1e6_f64,
        verdicts in prop::collection::vec((any_verdict(), 0..100_000_u64), 0..80),
    ) {
        let policy = Policy::default();
        let (mut health, mut at) = (Health::new(weight), now());
        for (verdict, seconds) in verdicts {
            at += Duration::from_secs(seconds);
            let next = policy.next(&health, &verdict, at);
            prop_assert!(next.factor() <= 1.0 && next.factor() >= LOWEST_FACTOR * 0.999_999);
            prop_assert!(next.cooldown_until >= health.cooldown_until, "a cooldown was shortened");
            prop_assert!(next.cooldown_until.is_none_or(|until| until <= at + LONGEST_WAIT || Some(until) == health.cooldown_until));
            prop_assert!(next.disabled || !health.disabled, "a verdict enabled a key");
            if verdict == Verdict::Success {
                prop_assert!(next.effective >= health.effective);
                prop_assert_eq!(next.past.consecutive_errors, 0);
            }
            health = next;
        }
    }
}
