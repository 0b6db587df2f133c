//! Auto-success mode, and reports by hand.

use super::*;

#[test]
fn fetching_counts_as_success_until_a_report_contradicts_it() {
    let bench = Bench::new(keys(1));
    let fetched = bench.pool.fetch().ok().unwrap();
    let key = &bench.pool.stats().keys[0];
    assert_eq!((key.calls, key.successes, key.failures), (1, 1, 0));
    bench.pool.report(fetched.keys.fingerprint(), &throttled(5)).unwrap();
    let key = &bench.pool.stats().keys[0];
    assert_eq!((key.calls, key.successes, key.failures, key.throttled), (1, 0, 1, 1));
    assert_eq!(key.state, KeyState::CoolingDown);
}

/// Fetches the only key, reports a 429, and sits out the wait that it brings. Returns its seconds.
fn throttled_wait(bench: &Bench) -> u64 {
    let fetched = bench.pool.fetch().ok().unwrap();
    bench.pool.report(fetched.keys.fingerprint(), &Verdict::status(429)).unwrap();
    let wait = bench.pool.fetch().err().unwrap().next_due.unwrap();
    bench.clock.advance(wait);
    wait.as_secs()
}

#[test]
fn waits_double_in_auto_success_mode_too() {
    let bench = Bench::new(keys(1));
    assert_eq!([(); 3].map(|()| throttled_wait(&bench)), [1, 2, 4]);
    bench.pool.fetch().ok().unwrap();
    bench.clock.advance(10 * SECOND);
    bench.pool.fetch().ok().unwrap();
    assert_eq!(bench.pool.stats().keys[0].health.consecutive_errors(), 0, "the fetch before was a success");
}

#[test]
fn waits_double_after_many_fetches_that_nobody_reported() {
    let bench = Bench::new(keys(1));
    for _ in 0..50 {
        bench.pool.fetch().ok().unwrap();
    }
    assert_eq!([(); 3].map(|()| throttled_wait(&bench)), [1, 2, 4]);
}

/// Two workers who fetch a key at once, call with it, and report what happened.
fn two_workers(bench: &Bench, status: u16) -> Option<Duration> {
    let both: Vec<_> = (0..2).filter_map(|_| bench.pool.fetch().ok()).collect();
    for fetched in &both {
        bench.pool.report(fetched.keys.fingerprint(), &Verdict::status(status)).unwrap();
    }
    bench.pool.fetch().err().and_then(|shortage| shortage.next_due)
}

#[test]
fn two_workers_in_auto_success_mode_wait_longer_each_time() {
    let bench = Bench::new(keys(1));
    let mut waits = Vec::new();
    for _ in 0..3 {
        let wait = two_workers(&bench, 429).unwrap();
        waits.push(wait.as_secs());
        bench.clock.advance(wait);
    }
    assert_eq!(waits, [1, 2, 4]);
}

#[test]
fn two_workers_in_auto_success_mode_open_the_circuit() {
    let bench = Bench::new(keys(1));
    (0..20).any(|_| two_workers(&bench, 503).is_some());
    assert_eq!(bench.state(0), KeyState::CoolingDown, "nothing but 503 in a row");
}

#[test]
fn a_fetch_from_before_the_circuit_opened_does_not_close_it() {
    let bench = Bench::new(keys(1));
    bench.pool.fetch().ok().unwrap();
    open_circuit(&bench);
    bench.pool.fetch().ok().unwrap();
    assert!(bench.pool.fetch().is_err(), "it is a probe, and the only one");
}

#[test]
fn reports_by_hand_work_without_a_fetch() {
    let bench = Bench::new(keys(1));
    let fingerprint = Key::from("test-key-0").fingerprint();
    for _ in 0..3 {
        bench.pool.report(fingerprint, &Verdict::status(403)).unwrap();
    }
    assert_eq!(bench.state(0), KeyState::Disabled);
    assert_eq!(bench.pool.report(Key::from("other").fingerprint(), &Verdict::Success), None);
}

#[test]
fn a_probe_in_auto_success_mode_that_is_not_contradicted_closes_the_circuit() {
    let bench = Bench::new(keys(1));
    open_circuit(&bench);
    bench.pool.fetch().ok().unwrap();
    assert!(bench.pool.fetch().is_err(), "the probe is out");
    bench.clock.advance(PROBE_TIMEOUT);
    bench.pool.fetch().ok().unwrap();
    bench.pool.fetch().ok().unwrap();
    assert_eq!(bench.state(0), KeyState::Available);
}
