use std::path::Path;

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::store::schema;
use crate::store::testing::{change, name};

fn table() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrate(&mut connection, Path::new("in memory"), &[]).ok().unwrap();
    connection
}

fn store(connection: &Connection, change: &Change) {
    write(&mut connection.prepare_cached(schema::UPSERT).unwrap(), change, SystemTime::UNIX_EPOCH, 1).unwrap();
}

fn load(connection: &Connection) -> (Vec<Record>, usize) {
    let mut reader = Reader::default();
    let mut statement = connection.prepare_cached(schema::SELECT_ALL).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut records = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        records.extend(reader.record(row).unwrap());
    }
    (records, reader.repaired)
}

fn any_weight() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_map(f64::abs).prop_filter("a weight", |weight| weight.is_finite() && *weight > 0.0),
        Just(f64::MIN_POSITIVE),
        Just(f64::from_bits(1)),
        Just(f64::MAX),
        Just(1.0),
        0.001..10.0,
    ]
}

/// Instants that the column can hold, to the nanosecond.
fn any_time() -> impl Strategy<Value = SystemTime> {
    (any::<i64>(), 0..1_000u64).prop_map(|(micros, nanos)| from_micros(micros / 2) + Duration::from_nanos(nanos))
}

fn any_reason() -> impl Strategy<Value = Reason> {
    prop::sample::select(REASONS.to_vec())
}

prop_compose! {
    fn any_health()(
        (weight, effective) in (any_weight(), any_weight()),
        disabled in any::<bool>(),
        cooldown_until in prop::option::of(any_time()),
        (error_count, consecutive_errors) in (any::<u64>(), any::<u32>()),
        streaks in any::<[u32; 6]>(),
        failure in prop::option::of((any_time(), any::<Option<u16>>(), any_reason())),
    ) -> Health {
        let [forbidden, throttled, daily, billing, server, circuit] = streaks;
        Health {
            weight,
            effective,
            disabled,
            cooldown_until,
            past: Past {
                error_count,
                consecutive_errors,
                streaks: Streaks { forbidden, throttled, daily, billing, server, circuit },
                last_failure: failure.map(|(at, status, reason)| LastFailure { at, status, reason }),
            }
            .into(),
        }
    }
}

prop_compose! {
    fn any_change()(
        bytes in any::<[u8; 16]>(),
        health in any_health(),
        epoch in any::<u64>(),
        last_used in prop::option::of(any_time()),
        scope in prop::option::of("[a-z:/é.-]{1,20}"),
        counts in prop::array::uniform5(0..=i64::MAX),
    ) -> Change {
        let [calls, begun, successes, failures, throttled] = counts;
        Change {
            fingerprint: Fingerprint::from_bytes(bytes),
            scope: scope.map(Arc::from),
            state: SharedState { health, epoch, last_used },
            is_news: true,
            is_farewell: false,
        usage: Vec::new(),
            added: Counters { calls, begun, successes, failures, throttled },
        }
    }
}

/// The instant in whole microseconds, by arithmetic that is not that of the code under test.
fn whole_micros(time: SystemTime) -> SystemTime {
    let far_back = SystemTime::UNIX_EPOCH - Duration::from_secs(i64::MAX as u64 / 1_000_000 + 1);
    let since = time.duration_since(far_back).unwrap();
    time - Duration::from_nanos(u64::from(since.subsec_nanos() % 1_000))
}

proptest! {
    #[test]
    fn a_row_keeps_all_of_a_change(change in any_change()) {
        let connection = table();
        store(&connection, &change);
        let (records, repaired) = load(&connection);
        prop_assert_eq!(repaired, 0);
        let mut expected = change;
        let health = &mut expected.state.health;
        health.cooldown_until = health.cooldown_until.map(whole_micros);
        health.past.last_failure = health.past.last_failure.map(|last| LastFailure { at: whole_micros(last.at), ..last });
        health.past.error_count = health.past.error_count.min(i64::MAX as u64);
        expected.state.epoch = expected.state.epoch.min(i64::MAX as u64);
        expected.state.last_used = expected.state.last_used.map(whole_micros);
        let weights = |health: &Health| (health.weight.to_bits(), health.effective.to_bits());
        prop_assert_eq!(weights(&records[0].state.health), weights(&expected.state.health));
        prop_assert_eq!(&records[0].state, &expected.state);
        prop_assert_eq!(records[0].fingerprint, expected.fingerprint);
        prop_assert_eq!(&records[0].scope, &expected.scope);
        prop_assert_eq!(records[0].counters, expected.added);
    }

    #[test]
    fn nothing_that_a_row_can_hold_makes_it_fail(
        numbers in prop::array::uniform16(any::<Option<i64>>()),
        weights in any::<[f64; 2]>(),
        name in prop::collection::vec(any::<u8>(), 0..20),
        reason in ".*",
    ) {
        // A table without the rules of the schema, as another program could leave it.
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE keys (fingerprint, scope, weight, effective_weight, disabled,
            cooldown_until, error_count, consecutive_errors, forbidden_streak, throttled_streak, daily_streak,
            billing_streak, server_streak, circuit_streak, failed_at, failed_status, failed_reason, epoch,
            last_used, calls, begun, successes, failures, throttled, added_at, updated_at, revision)").unwrap();
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = numbers;
        connection.execute(
            "INSERT INTO keys VALUES (?1, x'00ff', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
                ?19, ?20, ?21, 'nonsense', 0, 0, 0)",
            params![name, weights[0], weights[1], a, b, c, d, e, f, g, h, i, j, k, l, reason, m, n, o, p, 1.5],
        ).unwrap();
        let (records, repaired) = load(&connection);
        prop_assert_eq!(repaired, 1);
        prop_assert_eq!(records.len(), usize::from(name.len() == 16));
        for record in records {
            let Health { weight, effective, .. } = record.state.health;
            prop_assert!(weight.is_finite() && weight > 0.0 && effective.is_finite() && effective > 0.0);
            prop_assert!(record.counters.calls >= 0);
        }
    }
}

#[test]
fn instants_that_the_column_can_not_hold_become_the_nearest_that_it_can() {
    let second = Duration::from_secs(1);
    let longest = Duration::from_secs(i64::MAX as u64 / 2);
    assert_eq!(to_micros(SystemTime::UNIX_EPOCH + longest), i64::MAX);
    assert_eq!(to_micros(SystemTime::UNIX_EPOCH - longest), i64::MIN);
    assert_eq!(to_micros(SystemTime::UNIX_EPOCH - second), -1_000_000);
    assert_eq!(to_micros(SystemTime::UNIX_EPOCH - Duration::from_nanos(1)), -1, "rounded down");
    assert_eq!(to_micros(SystemTime::UNIX_EPOCH + Duration::from_nanos(1_999)), 1);
    for micros in [i64::MIN, -1, 0, 1, i64::MAX] {
        assert_eq!(to_micros(from_micros(micros)), micros);
    }
}

#[test]
fn a_weight_that_makes_no_sense_is_written_as_one_that_does() {
    for (weight, effective, expected) in [
        (f64::NAN, f64::NAN, (1.0, 1.0)),
        (-2.0, 0.5, (1.0, 0.5)),
        (3.0, 0.0, (3.0, 3.0)),
        (f64::INFINITY, f64::NEG_INFINITY, (1.0, 1.0)),
    ] {
        let connection = table();
        let mut change = change(0);
        (change.state.health.weight, change.state.health.effective) = (weight, effective);
        store(&connection, &change);
        let (records, repaired) = load(&connection);
        let health = &records[0].state.health;
        assert_eq!(((health.weight, health.effective), repaired), (expected, 0));
    }
}

#[test]
fn what_makes_no_sense_in_a_row_is_repaired_to_something_safe() {
    let connection = table();
    store(&connection, &change(0));
    connection
        .execute_batch(
            "UPDATE keys SET weight = -1, effective_weight = 9e999, disabled = -7, error_count = -5,
                consecutive_errors = 99999999999, circuit_streak = -1, failed_at = 0, failed_status = 429,
                failed_reason = 'eaten by a newer egb', epoch = -1, calls = -3",
        )
        .unwrap();
    let (records, repaired) = load(&connection);
    let Record { state: SharedState { health, epoch, .. }, counters, fingerprint, .. } = &records[0];
    assert_eq!((*fingerprint, repaired), (name(0), 1));
    assert_eq!((health.weight, health.effective), (1.0, 1.0));
    assert_eq!((health.disabled, health.past.error_count, health.past.consecutive_errors), (true, 0, u32::MAX));
    assert_eq!((health.past.streaks.circuit, *epoch, counters.calls), (0, 0, 0));
    let last = health.past.last_failure.unwrap();
    assert_eq!((last.status, last.reason), (Some(429), Reason::RateLimited), "what the status says");
}

#[test]
fn each_thing_that_makes_no_sense_is_counted() {
    for nonsense in [
        "weight = -1",
        "effective_weight = 0",
        "disabled = 2",
        "error_count = -1",
        "server_streak = 4294967296",
        "failed_at = 0",
        "failed_at = 0, failed_reason = 'server', failed_status = -1",
        "throttled = -1",
    ] {
        let connection = table();
        store(&connection, &change(0));
        connection.execute(&format!("UPDATE keys SET {nonsense}"), []).unwrap();
        assert_eq!(load(&connection).1, 1, "{nonsense}");
    }
}

#[test]
fn an_unknown_reason_without_a_status_is_taken_for_one_that_condemns_no_key() {
    let connection = table();
    store(&connection, &change(0));
    connection.execute_batch("UPDATE keys SET failed_at = 0, failed_reason = 'new', failed_status = 70000").unwrap();
    let (records, repaired) = load(&connection);
    let last = records[0].state.health.past.last_failure.unwrap();
    assert_eq!((last.status, last.reason, repaired), (None, Reason::Network, 1));
}

#[test]
fn every_reason_has_a_name_of_its_own_that_never_changes() {
    let names = REASONS.map(Reason::name);
    // Databases in the field have these.
    let expected = "invalid_key billing forbidden rate_limited daily_quota model server network request host balancer";
    assert_eq!(names.join(" "), expected);
    for reason in REASONS {
        assert_eq!(reason_named(reason.name()), Some(reason));
    }
    assert_eq!(reason_named("Billing"), None);
}
