//! `deadline`: when a call ends, whatever it is at.

use std::time::Duration;

use egb::{Balancer, Error, Key, balanced};

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
