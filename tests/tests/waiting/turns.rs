//! Whose turn it is among a few: who does not wait, gives up, or waits for what changes.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use egb::{Balancer, Error, Failure, Key, KeyConfig, Verdict, balanced};
use parking_lot::Mutex;

use super::{ApiError, Bench, Caller, SECOND, keys};

#[balanced(balancer = pool, wait = "5s")]
async fn waits(key: Key, pool: &Balancer) -> Result<Key, ApiError> {
    Ok(key)
}

#[balanced(balancer = pool, wait = "5s")]
fn waits_sync(key: Key, pool: &Balancer) -> Result<Key, ApiError> {
    Ok(key)
}

#[test]
fn a_caller_who_does_not_wait_takes_no_key_from_those_who_do() {
    let bench = Bench::new([KeyConfig::new("test-key").concurrency(1)]);
    let held = bench.balancer.lease().unwrap();
    let mut waiting = pin!(waits(&bench.balancer));
    let mut context = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    held.success();
    assert!(bench.balancer.lease().is_err() && bench.balancer.key().is_err());
    assert!(waiting.as_mut().poll(&mut context).is_ready());
    assert!(bench.balancer.lease().is_ok());
}

#[test]
fn a_caller_who_does_not_wait_takes_no_key_from_one_who_waits_for_several() {
    let bench = Bench::new(keys(3).map(|key| key.concurrency(1)));
    let held = bench.balancer.lease().unwrap();
    let all = bench.balancer.checkout().keys(3).wait(5 * SECOND);
    let mut waiting = pin!(all.lease_async());
    let mut context = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    assert!(bench.balancer.lease().is_err() && bench.balancer.key().is_err(), "two are free, and spoken for");
    held.success();
    assert!(waiting.as_mut().poll(&mut context).is_ready());
}

#[test]
fn one_who_gives_up_lets_the_next_one_have_its_turn() {
    let bench = Bench::new([KeyConfig::new("test-key").concurrency(1)]);
    let held = bench.balancer.lease().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut first = Box::pin(waits(&bench.balancer));
    let mut second = pin!(waits(&bench.balancer));
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    held.success();
    assert!(second.as_mut().poll(&mut context).is_pending(), "it is the other's turn");
    drop(first);
    assert!(second.as_mut().poll(&mut context).is_ready());
}

#[test]
fn a_reset_wakes_those_who_wait() {
    let bench = Bench::new([KeyConfig::new("test-key").concurrency(1)]);
    bench.balancer.report(&"test-key".into(), Verdict::Failure(Failure::status(429).with_retry_after(4 * SECOND)));
    let woken = thread::scope(|scope| {
        let waiting = scope.spawn(|| waits_sync(&bench.balancer));
        while bench.clock.sleepers() == 0 {
            thread::yield_now();
        }
        bench.balancer.reset().unwrap();
        waiting.join().unwrap()
    });
    assert!(woken.is_ok(), "with no time passed");
}

#[test]
fn one_who_waits_for_a_key_that_is_removed_hears_of_it_at_once() {
    let bench = Bench::new([KeyConfig::new("test-key-1").concurrency(1)]);
    bench.balancer.add(KeyConfig::new("test-key-2").concurrency(1)).unwrap();
    let held = bench.balancer.leases(2).unwrap();
    let both = bench.balancer.checkout().keys(2).wait(5 * SECOND);
    let woken = Arc::new(Mutex::new(Vec::new()));
    let waker = Arc::new(Caller { number: 0, woken: Arc::clone(&woken) }).into();
    let mut waiting = pin!(both.lease_async());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    bench.balancer.remove(&"test-key-2".into()).unwrap();
    assert_eq!(*woken.lock(), [0]);
    let Poll::Ready(Err(error)) = waiting.as_mut().poll(&mut Context::from_waker(&waker)) else { panic!("it waits") };
    assert!(matches!(error, Error::TooFewKeys { wanted: 2, total: 1 }));
    held.success();
}
