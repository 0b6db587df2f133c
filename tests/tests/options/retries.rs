//! `retries` and `backoff`: how attempts follow each other, and how they count.

use std::ops::Range;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use egb::{Balancer, Failure, Key, balanced};
use parking_lot::Mutex;

use super::{ApiError, Bench, SECOND};

#[balanced(balancer = pool, retries = 4, backoff = "100ms..400ms")]
async fn with_pauses(_key: Key, pool: &Balancer, attempts: &AtomicU32) -> Result<(), ApiError> {
    attempts.fetch_add(1, Ordering::Relaxed);
    Err(ApiError::Status(503))
}

#[test]
fn retries_pause_for_a_random_part_of_a_bound_that_doubles() {
    let attempts = AtomicU32::new(0);
    let mut longest = Duration::ZERO;
    let mut shortest = Duration::MAX;
    for _ in 0..50 {
        let bench = Bench::new(5);
        let (result, passed) = bench.drive(with_pauses(&bench.balancer, &attempts));
        assert!(matches!(result, Err(ApiError::Status(503))));
        (longest, shortest) = (longest.max(passed), shortest.min(passed));
    }
    assert_eq!(attempts.into_inner(), 50 * 5);
    // 100 + 200 + 400 + 400 at most; half of that on average.
    assert!(longest < Duration::from_millis(1100), "{longest:?}");
    assert!(longest > shortest + Duration::from_millis(200), "{shortest:?} .. {longest:?}");
}

#[test]
fn sync_retries_pause_too() {
    const PAUSES: Range<Duration> = Duration::from_secs(1)..Duration::from_secs(2);
    #[balanced(balancer = pool, retries = 1, backoff = PAUSES)]
    fn failing(_key: Key, pool: &Balancer) -> Result<(), ApiError> {
        Err(ApiError::Status(503))
    }
    let bench = Bench::new(2);
    let (_, passed) = bench.drive_sync(|| failing(&bench.balancer));
    assert!(passed > Duration::ZERO && passed < SECOND, "{passed:?}");
    assert_eq!(bench.balancer.stats().uses(), 2);
}

#[test]
fn a_retry_waits_for_a_key_that_the_call_has_not_tried_and_holds_nobody_up() {
    #[balanced(balancer = pool, retries = 1, wait = "10s")]
    async fn moved_on(key: Key, pool: &Balancer, log: &Mutex<Vec<Key>>) -> Result<(), ApiError> {
        log.lock().push(key);
        if log.lock().len() == 1 { Err(ApiError::Status(503)) } else { Ok(()) }
    }
    let bench = Bench::new(2);
    let first = bench.balancer.lease().unwrap();
    let resting = first.key().clone();
    first.end(Failure::status(429).with_retry_after(6 * SECOND));
    let log = Mutex::new(Vec::new());
    let mut call = pin!(moved_on(&bench.balancer, &log));
    let mut context = Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(&mut context).is_pending());
    assert!(bench.balancer.lease().is_ok(), "the key that it tried is free for others");
    let (result, passed) = bench.drive(call);
    assert!(result.is_ok());
    assert_eq!(passed, 6 * SECOND);
    assert_eq!(log.lock()[1], resting);
}

#[test]
fn a_retry_waits_for_no_key_that_it_would_not_take() {
    #[balanced(balancer = pool, retries = 1, wait = "10s")]
    async fn failing(_key: Key, pool: &Balancer) -> Result<(), ApiError> {
        Err(ApiError::Throttled(3 * SECOND))
    }
    let bench = Bench::new(2);
    bench.balancer.lease().unwrap().end(Failure::status(429).with_retry_after(60 * SECOND));
    let (result, passed) = bench.drive(failing(&bench.balancer));
    assert!(matches!(result, Err(ApiError::Throttled(_))));
    assert_eq!(passed, Duration::ZERO, "its own key is back in time, the other one is not");
}

#[test]
fn a_retried_call_counts_once_for_its_caller_and_once_for_each_key() {
    #[balanced(balancer = pool, retries = 2)]
    async fn third_time(_key: Key, pool: &Balancer, attempts: &AtomicU32) -> Result<(), ApiError> {
        if attempts.fetch_add(1, Ordering::Relaxed) < 2 { Err(ApiError::Status(500)) } else { Ok(()) }
    }
    #[balanced(balancer = pool, keys = 2)]
    fn pair(_keys: [Key; 2], pool: &Balancer) -> Result<(), ApiError> {
        Ok(())
    }
    let bench = Bench::new(3);
    bench.drive(third_time(&bench.balancer, &AtomicU32::new(0))).0.unwrap();
    let stats = bench.balancer.stats();
    assert_eq!((stats.calls(), stats.uses(), stats.failures(), stats.successes()), (1, 3, 2, 1));
    assert!(stats.keys.iter().all(|key| key.calls == 1));
    pair(&bench.balancer).unwrap();
    let stats = bench.balancer.stats();
    assert_eq!((stats.calls(), stats.uses()), (2, 5));
}
