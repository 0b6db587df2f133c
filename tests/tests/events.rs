//! What can be watched: a channel of events, metrics. No key is in any of it.

use std::collections::BTreeMap;
use std::time::Duration;

use egb::{Balancer, Event, EventKind, Failure, Key, KeyConfig, ManualClock, Reason};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use parking_lot::Mutex;

const KEY: &str = "AIzaSyFAKE_watched_key_0123456789abcdef";

fn pool(clock: &ManualClock) -> Balancer {
    Balancer::builder().key(KeyConfig::new(KEY).label("work")).clock(clock.clone()).build().unwrap()
}

fn drain(events: &mut egb::Events) -> Vec<Event> {
    std::iter::from_fn(|| events.try_next().unwrap()).collect()
}

fn kinds(events: &mut egb::Events) -> Vec<EventKind> {
    drain(events).into_iter().map(|event| event.kind).collect()
}

#[test]
fn a_subscriber_hears_what_happens_to_keys() {
    let clock = ManualClock::new();
    let pool = pool(&clock);
    let mut events = pool.subscribe();
    pool.lease().unwrap().success();
    assert_eq!(drain(&mut events), [], "calls that go well are no change");

    pool.lease().unwrap().end(Failure::status(429).with_retry_after(Duration::from_secs(60)));
    let told = drain(&mut events);
    let reason = Some(Reason::RateLimited);
    assert_eq!(told[0].kind, EventKind::LimitLearned { rpm: 1 });
    assert_eq!(told[1].kind, EventKind::CoolingDown { wait: Duration::from_secs(60), reason });
    assert_eq!((told.len(), told[1].label.as_deref(), told[1].scope.as_deref()), (2, Some("work"), None));
    assert_eq!(told[1].fingerprint, Key::from(KEY).fingerprint());

    clock.advance(Duration::from_secs(600));
    for _ in 0..5 {
        pool.report(&KEY.into(), 503);
    }
    assert!(matches!(kinds(&mut events)[..], [EventKind::CircuitOpened { .. }]));
    clock.advance(Duration::from_secs(60));
    pool.lease().unwrap().success();
    assert_eq!(kinds(&mut events), [EventKind::CircuitClosed]);

    pool.report(&KEY.into(), 401);
    pool.report(&KEY.into(), 401);
    assert_eq!(kinds(&mut events), [EventKind::Disabled { reason: Some(Reason::InvalidKey) }], "once");
    pool.enable(&KEY.into()).unwrap();
    pool.disable(&KEY.into()).unwrap();
    pool.reset().unwrap();
    assert_eq!(
        kinds(&mut events),
        [EventKind::Enabled, EventKind::Disabled { reason: None }, EventKind::Enabled],
        "what is done by hand too"
    );
}

#[test]
fn a_group_and_a_scope_are_told_of() {
    let config = |name: &str| KeyConfig::new(format!("test-key-{name}")).group("project").label(name);
    let pool = Balancer::builder().key(config("one")).key(config("two")).learn_limits(false).build().unwrap();
    let mut events = pool.subscribe();
    let lease = pool.checkout().scope("pro").lease().unwrap();
    lease.end(Failure::status(429).with_retry_after(Duration::from_secs(9)));
    let told = drain(&mut events);
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|event| event.scope.as_deref() == Some("pro")));
    let reasons: Vec<_> = told.iter().map(|event| event.kind).collect();
    let wait = Duration::from_secs(9);
    let (own, shared) = (Some(Reason::RateLimited), None);
    assert!(matches!(
        reasons[..],
        [EventKind::CoolingDown { wait: one, reason: first }, EventKind::CoolingDown { wait: other, reason: second }]
            if one == wait && other <= wait && (first, second) == (own, shared)
    ));
}

#[test]
fn keys_that_come_and_go_are_told_of() {
    let folder = egb_tests::tempdir().unwrap();
    let file = folder.path().join("keys.txt");
    std::fs::write(&file, "one-test-key\n").unwrap();
    let pool = Balancer::builder().keys_file(&file).build().unwrap();
    let mut events = pool.subscribe();
    std::fs::write(&file, "another-test-key\n").unwrap();
    pool.reload().unwrap();
    assert_eq!(kinds(&mut events), [EventKind::Removed, EventKind::Added]);
}

#[test]
fn what_another_process_does_is_told_of() {
    let folder = egb_tests::tempdir().unwrap();
    let db = folder.path().join("keys.db");
    let open = || Balancer::builder().key(KEY).db(&db).build().unwrap();
    let (one, other) = (open(), open());
    let events = Mutex::new(other.subscribe());
    one.report(&KEY.into(), 401);
    let seen = Mutex::new(Vec::new());
    egb_tests::eventually("the news", || {
        seen.lock().extend(kinds(&mut events.lock()));
        seen.lock()[..] == [EventKind::Disabled { reason: None }]
    });
}

#[test]
fn metrics_count_calls_and_show_the_pool() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let pool = pool(&ManualClock::new());
        pool.lease().unwrap().success();
        pool.lease().unwrap().end(429);
        assert!(pool.lease().is_err());
        pool.report(&KEY.into(), 401);
    });
    let mut seen = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<&str> = key.key().labels().map(metrics::Label::value).collect();
        let value = match value {
            DebugValue::Counter(count) => count.to_string(),
            DebugValue::Gauge(level) => level.to_string(),
            DebugValue::Histogram(_) => unreachable!("there is none"),
        };
        seen.insert([&[key.key().name()], &labels[..]].concat().join(" "), value);
    }
    let expected = [
        ("egb_checkouts_total", "2"),
        ("egb_successes_total", "1"),
        ("egb_failures_total rate_limited", "1"),
        ("egb_failures_total invalid_key", "1"),
        ("egb_refusals_total", "1"),
        ("egb_events_total key_cooling_down", "1"),
        ("egb_events_total key_disabled", "1"),
        ("egb_events_total limit_learned", "1"),
        ("egb_keys", "1"),
        ("egb_keys_disabled", "1"),
        ("egb_keys_waiting", "0"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(seen, BTreeMap::from(expected));
}
