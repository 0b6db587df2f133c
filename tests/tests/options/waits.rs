//! `wait`: how long a call waits for a key.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use egb::{Balancer, Error, Key, KeyConfig, StatusCode, balanced};

use super::{ApiError, Bench, SECOND};

#[balanced(balancer = pool, wait = "5s")]
async fn waits(key: Key, pool: &Balancer) -> Result<Key, ApiError> {
    Ok(key)
}

#[balanced(balancer = pool, wait = "5s")]
fn waits_sync(key: Key, pool: &Balancer) -> Result<Key, ApiError> {
    Ok(key)
}

#[test]
fn a_call_waits_for_the_first_key_that_comes_back() {
    let bench = Bench::new(2);
    bench.rest_all([3, 4]);
    let (result, passed) = bench.drive(waits(&bench.balancer));
    assert!(result.is_ok());
    assert_eq!(passed, 3 * SECOND);
    bench.balancer.reset().unwrap();
    bench.rest_all([3, 4]);
    let (result, passed) = bench.drive_sync(|| waits_sync(&bench.balancer));
    assert!(result.is_ok());
    assert_eq!(passed, 3 * SECOND);
}

#[test]
fn a_wait_that_would_be_in_vain_is_none_and_the_error_says_when_to_come_back() {
    let bench = Bench::new(2);
    bench.rest_all([60, 30]);
    let (result, passed) = bench.drive(waits(&bench.balancer));
    assert_eq!(passed, Duration::ZERO);
    assert_eq!(result.unwrap_err().retry_after(), Some(30 * SECOND));
    for key in 0..2 {
        bench.balancer.report(&format!("test-key-{key}").into(), 401);
    }
    let (result, passed) = bench.drive(waits(&bench.balancer));
    assert!(matches!(result, Err(ApiError::Balance(Error::NoKeyLeft { .. }))));
    assert_eq!(passed, Duration::ZERO);
}

#[test]
fn a_call_waits_for_a_busy_key_no_longer_than_it_said() {
    let bench = Bench::of([KeyConfig::new("test-key").concurrency(1)]);
    let held = bench.balancer.lease().unwrap();
    let (result, passed) = bench.drive(waits(&bench.balancer));
    assert!(matches!(result, Err(ApiError::Balance(Error::NoKeyFree { busy: 1, .. }))));
    assert_eq!(passed, 5 * SECOND);
    let mut waiting = pin!(waits(&bench.balancer));
    let mut context = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    held.success();
    assert!(waiting.as_mut().poll(&mut context).is_ready());
}

#[test]
fn a_free_key_is_not_waited_for_and_an_optional_wait_may_be_none() {
    #[balanced(balancer = pool, wait = at_most)]
    async fn optional(key: Key, pool: &Balancer, at_most: Option<Duration>) -> Result<Key, ApiError> {
        Ok(key)
    }
    let bench = Bench::new(1);
    assert_eq!(bench.drive(waits(&bench.balancer)).1, Duration::ZERO);
    bench.rest_all([2]);
    assert!(bench.drive(optional(&bench.balancer, None)).0.is_err());
    assert!(bench.drive(optional(&bench.balancer, Some(3 * SECOND))).0.is_ok());
}
