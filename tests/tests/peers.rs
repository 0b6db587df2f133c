//! What users of other key pools ask for, and what those pools get wrong, where no other test shows that it is
//! otherwise here.

use std::cell::Cell;
use std::time::Duration;

use egb::{Balancer, Error, Failure, HttpError, Key, KeyConfig, KeyState, ManualClock, Reason, StatusCode, balanced};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error, StatusCode)]
enum ApiError {
    #[error(transparent)]
    #[status(transparent)]
    Api(#[from] HttpError),
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] Error),
}

fn key(n: usize) -> String {
    format!("test-key-{n}")
}

fn pool(keys: usize, clock: &ManualClock) -> Balancer {
    Balancer::builder().keys((0..keys).map(key)).clock(clock.clone()).build().unwrap()
}

fn rest(seconds: u32) -> Failure {
    Failure::status(429).with_retry_after(seconds * SECOND)
}

/// A proxy, or the provider's guard before all keys, says 429 to this host, whatever the key.
#[test]
fn a_429_that_every_key_meets_takes_none_of_them_out() {
    let clock = ManualClock::new();
    let pool = pool(20, &clock);
    for _ in 0..10 {
        while let Ok(lease) = pool.lease() {
            lease.end(429);
        }
        let error = pool.lease().unwrap_err();
        clock.advance(error.retry_after().expect("they come back by themselves"));
    }
    assert_eq!(pool.stats().disabled(), 0);
    clock.advance(Duration::from_secs(300));
    assert_eq!(pool.stats().available(), 20);
    let shares: Vec<f64> = pool.stats().keys.iter().map(|key| key.health.effective_weight()).collect();
    assert!(shares.iter().all(|share| *share == shares[0]), "as even as before: {shares:?}");
}

/// Pools that try a few candidates at random find none.
#[test]
fn a_free_key_is_found_among_however_many_that_are_not() {
    let clock = ManualClock::new();
    let pool = pool(2_000, &clock);
    let mut leases: Vec<_> = (0..2_000).map(|_| pool.lease().unwrap()).collect();
    let free: Vec<Key> = leases.drain(..1).map(|lease| lease.key().clone()).collect();
    for (n, lease) in leases.into_iter().enumerate() {
        lease.end(if n % 3 == 0 { Failure::status(401) } else { rest(3_600) });
    }
    for _ in 0..1_000 {
        let lease = pool.lease().unwrap();
        assert_eq!(*lease.key(), free[0]);
        lease.success();
    }
}

/// Others fall back on the key that was limited last.
#[test]
fn of_keys_that_all_rest_none_is_given_and_the_one_that_is_due_first_comes_first() {
    let clock = ManualClock::new();
    let pool = pool(3, &clock);
    for (n, seconds) in [(0, 30), (1, 20), (2, 40)] {
        pool.report(&key(n).into(), rest(seconds));
    }
    // The later word is the shorter one.
    pool.report(&key(0).into(), rest(1));
    let error = pool.lease().unwrap_err();
    assert_eq!(error.retry_after(), Some(20 * SECOND));
    for (n, seconds) in [(1, 20), (0, 10), (2, 10)] {
        clock.advance(seconds * SECOND);
        let lease = pool.lease().unwrap();
        assert_eq!(lease.key().expose_secret(), key(n));
        lease.end(rest(3_600));
        assert!(pool.lease().is_err());
    }
}

#[balanced(balancer = pool, retries = 3, affinity = session)]
fn with_file(key: Key, pool: &Balancer, session: u8, owner: &Cell<Option<Key>>, is_down: bool) -> Result<(), ApiError> {
    // The file was uploaded with the key of the first call.
    let owner = owner.take().or_else(|| Some(key.clone())).inspect(|known| owner.set(Some(known.clone())));
    if owner != Some(key) {
        let body = r#"{"error": {"code": 403, "status": "PERMISSION_DENIED",
            "message": "You do not have permission to access the File abc or it may not exist."}}"#;
        return Err(HttpError::new(403, body).into());
    }
    if is_down { Err(HttpError::new(503, "").into()) } else { Ok(()) }
}

/// Files belong to the key that they were uploaded with.
#[test]
fn a_session_stays_with_the_key_of_its_file_and_no_other_key_is_blamed_for_not_having_it() {
    let clock = ManualClock::new();
    let (pool, owner) = (pool(5, &clock), Cell::new(None));
    with_file(&pool, 7, &owner, false).unwrap();
    let error = with_file(&pool, 7, &owner, true).unwrap_err();
    assert_eq!((error.status_code(), error.reason()), (Some(403), Some(Reason::Request)), "another key was tried once");
    let stats = pool.stats();
    assert_eq!((stats.uses(), stats.available()), (3, 5));
    assert_eq!(stats.keys.iter().filter(|key| key.health.factor() < 1.0).count(), 1, "the one that met the 503");
    for _ in 0..10 {
        with_file(&pool, 7, &owner, false).unwrap();
    }
    assert_eq!(pool.stats().uses(), 13, "at once, with the key that has the file");
}

#[test]
fn a_suspended_key_is_shown_as_one() {
    let clock = ManualClock::new();
    let pool = pool(2, &clock);
    let body = r#"{"error": {"code": 403, "status": "PERMISSION_DENIED", "details": [{"reason": "CONSUMER_SUSPENDED"}],
        "message": "Permission denied: Consumer 'api_key:test-key-0' has been suspended."}}"#;
    let error = HttpError::new(403, body);
    assert!(!error.to_string().contains("test-key-0"), "{error}");
    pool.report(&key(0).into(), &error);
    let stats = pool.stats();
    let suspended = stats.keys.iter().find(|row| row.fingerprint == Key::from(key(0)).fingerprint()).unwrap();
    assert_eq!(suspended.state, KeyState::Disabled);
    let failure = suspended.health.last_failure().unwrap();
    assert_eq!((failure.reason, failure.status), (Reason::InvalidKey, Some(403)));
    assert_eq!(stats.available(), 1);
}

#[test]
fn statistics_show_calls_a_minute_and_the_most_there_were() {
    let clock = ManualClock::new();
    let config = KeyConfig::new(key(0)).rpm(50);
    let pool = Balancer::builder().key(config).key(key(1)).clock(clock.clone()).build().unwrap();
    let minutes = |pool: &Balancer| {
        let rows = pool.stats().keys;
        [0, 1].map(|n| (rows[n].used_in_minute.unwrap_or(0), rows[n].peak_in_minute.unwrap_or(0)))
    };
    for (calls, expected) in [(6, (3, 3)), (20, (10, 10)), (4, (2, 10))] {
        for _ in 0..calls {
            pool.lease().unwrap().success();
        }
        assert_eq!(minutes(&pool), [expected; 2]);
        clock.advance(Duration::from_secs(61));
    }
    assert_eq!(minutes(&pool), [(0, 10); 2]);
}
