//! `deadline`: when a call ends, whatever it is at.

use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use egb::{Balancer, Error, Key, KeyConfig, balanced};

use super::{ApiError, Bench, SECOND};

#[balanced(balancer = pool, deadline = "10s")]
async fn hangs(_key: Key, pool: &Balancer) -> Result<(), ApiError> {
    std::future::pending().await
}

#[test]
fn a_body_is_stopped_at_its_deadline_and_its_key_bears_no_blame() {
    let bench = Bench::new(1);
    let (result, passed) = bench.drive(hangs(&bench.balancer));
    assert!(matches!(result, Err(ApiError::Balance(Error::DeadlineExceeded))));
    assert_eq!(passed, 10 * SECOND);
    let stats = bench.balancer.stats();
    assert_eq!((stats.calls(), stats.failures(), stats.keys[0].in_flight), (1, 0, 0));
}

#[test]
fn a_deadline_bounds_attempts_pauses_and_waits_together() {
    #[balanced(balancer = pool, retries = 9, backoff = "4s", wait = "1h", deadline = within)]
    async fn failing(_key: Key, pool: &Balancer, within: Duration) -> Result<(), ApiError> {
        Err(ApiError::Throttled(3600 * SECOND))
    }
    for _ in 0..20 {
        let bench = Bench::new(10);
        let (result, passed) = bench.drive(failing(&bench.balancer, 10 * SECOND));
        assert!(matches!(result, Err(ApiError::Throttled(_))), "the call's own error");
        assert!(passed <= 10 * SECOND, "{passed:?}");
        let (result, passed) = bench.drive_sync(|| {
            #[balanced(balancer = pool, wait = "1h", deadline = "2s")]
            fn sync(_key: Key, pool: &Balancer) -> Result<(), ApiError> {
                Ok(())
            }
            bench.balancer.reset().unwrap();
            bench.rest_all([3; 10]);
            sync(&bench.balancer)
        });
        assert!(result.is_err());
        assert!(passed <= 2 * SECOND, "{passed:?}");
    }
}

#[test]
fn no_attempt_begins_at_or_after_the_deadline() {
    static BODIES: AtomicU32 = AtomicU32::new(0);
    fn begin(_key: &Key) {
        BODIES.fetch_add(1, Ordering::Relaxed);
    }
    #[balanced(balancer = pool, deadline = left, retries = 1)]
    fn plain(key: Key, pool: &Balancer, left: Duration) -> Result<(), ApiError> {
        begin(&key);
        Ok(())
    }
    #[balanced(balancer = pool, deadline = left, wait = "1h", retries = 2)]
    fn waiting(key: Key, pool: &Balancer, left: Duration) -> Result<(), ApiError> {
        begin(&key);
        Ok(())
    }
    #[balanced(balancer = pool, deadline = left)]
    async fn plain_async(key: Key, pool: &Balancer, left: Duration) -> Result<(), ApiError> {
        begin(&key);
        Ok(())
    }
    #[balanced(balancer = pool, deadline = left, wait = "1h")]
    async fn waiting_async(key: Key, pool: &Balancer, left: Duration) -> Result<(), ApiError> {
        begin(&key);
        Ok(())
    }
    #[balanced(balancer = pool, deadline = left, hedge = "1s", retries = 2)]
    async fn hedged(key: Key, pool: &Balancer, left: Duration) -> Result<(), ApiError> {
        begin(&key);
        Ok(())
    }

    let bench = Bench::of([KeyConfig::new("test-key").concurrency(1)]);
    let pool = &bench.balancer;
    let none = Duration::ZERO;
    for (call, result) in [
        ("sync", plain(pool, none)),
        ("sync, waits", waiting(pool, none)),
        ("async", bench.drive(plain_async(pool, none)).0),
        ("async, waits", bench.drive(waiting_async(pool, none)).0),
        ("hedged", bench.drive(hedged(pool, none)).0),
    ] {
        assert!(matches!(result, Err(ApiError::Balance(Error::DeadlineExceeded))), "{call}: {result:?}");
    }
    assert_eq!((pool.stats().calls(), BODIES.load(Ordering::Relaxed)), (0, 0));

    // The key comes back when it is too late.
    let lease = pool.lease().unwrap();
    let mut late = pin!(waiting_async(pool, 2 * SECOND));
    let context = &mut Context::from_waker(Waker::noop());
    assert!(late.as_mut().poll(context).is_pending());
    bench.clock.advance(2 * SECOND);
    lease.success();
    assert!(matches!(late.as_mut().poll(context), Poll::Ready(Err(ApiError::Balance(Error::DeadlineExceeded)))));
    assert_eq!((pool.stats().calls(), BODIES.load(Ordering::Relaxed)), (1, 0));
    assert!(plain(pool, SECOND).is_ok() && pool.lease().is_ok(), "nothing is held");
}
