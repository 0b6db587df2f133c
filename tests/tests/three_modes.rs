//! The three modes, sync and async, on one balancer in memory.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use egb::{Balancer, Error, Failure, Key, ManualClock, StatusCode, Verdict, balanced};

#[derive(Debug, PartialEq)]
enum ApiError {
    Status(u16),
    Balance(String),
}

impl StatusCode for ApiError {
    fn status_code(&self) -> Option<u16> {
        match self {
            Self::Status(status) => Some(*status),
            Self::Balance(_) => None,
        }
    }
    fn reason(&self) -> Option<egb::Reason> {
        matches!(self, Self::Balance(_)).then_some(egb::Reason::Balancer)
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self::Balance(error.to_string())
    }
}

fn pool(count: usize) -> Balancer {
    Balancer::builder().keys((0..count).map(|n| format!("test-key-{n}"))).in_memory().build().unwrap()
}

fn counts(balancer: &Balancer) -> (u64, u64, u64) {
    let stats = balancer.stats();
    (stats.uses(), stats.successes(), stats.failures())
}

#[test]
fn plain_keys_take_turns_and_count_as_successes() {
    let balancer = pool(3);
    let first: Vec<Key> = (0..3).map(|_| balancer.key().unwrap()).collect();
    let second: Vec<Key> = (0..3).map(|_| balancer.key().unwrap()).collect();
    assert_eq!(first, second);
    assert_ne!(first[0], first[1]);
    assert_eq!(counts(&balancer), (6, 6, 0));
}

#[test]
fn processes_that_start_together_do_not_all_begin_with_the_same_key() {
    let first = pool(100).key().unwrap();
    assert!((0..20).any(|_| pool(100).key().unwrap() != first), "twenty starts with one key in a hundred");
}

#[test]
fn several_plain_keys_are_distinct() {
    let balancer = pool(3);
    let keys = balancer.keys(3).unwrap();
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    let error = balancer.keys(4).unwrap_err();
    assert!(matches!(error, Error::TooFewKeys { wanted: 4, total: 3 }), "{error}");
    assert!(matches!(balancer.keys(0).unwrap_err(), Error::Invalid { .. }));
}

#[test]
fn a_reported_failure_is_learned_from_a_status_an_error_or_a_verdict() {
    let balancer = pool(3);
    balancer.report(&balancer.key().unwrap(), 401);
    balancer.report(&balancer.key().unwrap(), &ApiError::Status(401));
    assert_eq!(balancer.stats().disabled(), 2);
    balancer.report(&balancer.key().unwrap(), Failure::status(429).with_retry_after(Duration::from_secs(60)));
    let error = balancer.key().unwrap_err();
    let wait = error.retry_after().expect("one key comes back");
    assert!((Duration::from_secs(59)..=Duration::from_secs(60)).contains(&wait), "{wait:?}");
}

#[test]
fn a_scoped_call_learns_from_its_result() {
    let balancer = pool(2);
    let answer = balancer.with_keys(1, |keys| Ok::<_, ApiError>(keys.len())).unwrap();
    assert_eq!(answer, 1);
    let error = balancer.with_keys(1, |_| Err::<(), _>(ApiError::Status(401))).unwrap_err();
    assert_eq!(error, ApiError::Status(401));
    assert_eq!(counts(&balancer), (2, 1, 1));
    assert_eq!(balancer.stats().disabled(), 1);
}

#[test]
fn a_scoped_call_that_gets_no_key_is_not_made() {
    let balancer = pool(1);
    balancer.disable(&"test-key-0".into()).unwrap();
    let error = balancer.with_keys(1, |_| -> Result<(), ApiError> { panic!("called") }).unwrap_err();
    let ApiError::Balance(text) = error else { panic!("{error:?}") };
    assert!(text.contains("1 of 1 keys are disabled"), "{text}");
}

#[tokio::test]
async fn the_async_twin_reads_alike() {
    let balancer = pool(2);
    let answer = balancer.with_keys_async(2, |keys| async move { Ok::<_, ApiError>(keys.len()) }).await.unwrap();
    assert_eq!(answer, 2);
    let failed = balancer.with_keys_async(1, |_| async { Err::<(), _>(ApiError::Status(401)) }).await;
    assert_eq!(failed, Err(ApiError::Status(401)));
    assert_eq!(balancer.stats().disabled(), 1);
}

#[test]
fn a_lease_ends_with_the_verdict_it_is_given() {
    let balancer = pool(1);
    balancer.lease().unwrap().success();
    balancer.lease().unwrap().failure(&ApiError::Status(500));
    balancer.lease().unwrap().report(&Ok::<_, ApiError>(()));
    balancer.lease().unwrap().end(Verdict::Neutral);
    assert_eq!(counts(&balancer), (4, 2, 1));
}

#[test]
fn a_dropped_lease_is_neutral_and_gives_its_place_back() {
    let balancer = Balancer::builder().key("test-key-0").concurrency(1).in_memory().build().unwrap();
    let lease = balancer.lease().unwrap();
    assert!(matches!(balancer.lease().unwrap_err(), Error::NoKeyFree { busy: 1, retry_after: None, .. }));
    drop(lease);
    let lease = balancer.lease().unwrap();
    assert_eq!(counts(&balancer), (2, 0, 0));
    drop(lease);
}

#[test]
fn a_fetched_key_is_none_that_leases_have_used_up_and_uses_up_none() {
    let balancer = Balancer::builder().key("test-key-0").concurrency(1).in_memory().build().unwrap();
    for _ in 0..3 {
        balancer.key().unwrap();
    }
    let lease = balancer.lease().unwrap();
    assert!(matches!(balancer.key().unwrap_err(), Error::NoKeyFree { busy: 1, .. }));
    drop(lease);
    balancer.key().unwrap();
}

#[test]
fn a_panic_is_neutral_and_gives_the_key_back() {
    let balancer = Balancer::builder().key("test-key-0").concurrency(1).in_memory().build().unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        balancer.with_keys(1, |_| -> Result<(), ApiError> { panic!("the body's own") })
    }));
    assert!(panicked.is_err());
    assert_eq!(counts(&balancer), (1, 0, 0));
    balancer.lease().unwrap().success();
    assert!(egb::key().is_err(), "the call's key is out of sight again");
}

#[tokio::test]
async fn a_cancelled_call_is_neutral_and_gives_the_key_back() {
    let balancer = Balancer::builder().key("test-key-0").concurrency(1).in_memory().build().unwrap();
    let call = balancer.with_keys_async(1, |_| pending::<Result<(), ApiError>>());
    assert!(tokio::time::timeout(Duration::ZERO, call).await.is_err());
    assert_eq!(counts(&balancer), (1, 0, 0));
    balancer.lease().unwrap().success();
}

#[test]
fn inside_a_call_key_is_the_key_of_that_call() {
    let balancer = pool(3);
    let other = pool(1);
    let _entered = other.enter();
    balancer
        .with_keys(2, |keys| {
            assert_eq!(egb::key()?, keys[0]);
            assert_eq!(egb::keys(2)?, keys);
            assert!(egb::keys(0).is_err());
            Ok::<_, Error>(())
        })
        .unwrap();
    assert_eq!(balancer.stats().uses(), 2, "no further key was spent");
    assert_eq!(egb::key().unwrap(), other.key().unwrap());
}

#[balanced(keys = 1)]
async fn outer(key: Key) -> Result<(), ApiError> {
    let same = helper(&key).await;
    assert!(same, "a helper, however deep, has the key of its call");
    tokio::task::yield_now().await;
    assert_eq!(egb::key()?, key);
    inner_sync()?;
    assert_eq!(egb::key()?, key);
    Ok(())
}

async fn helper(key: &Key) -> bool {
    tokio::task::yield_now().await;
    egb::key().is_ok_and(|same| same == *key)
}

#[balanced]
fn inner_sync(key: Key) -> Result<Key, ApiError> {
    assert_eq!(egb::key()?, key);
    Ok(key)
}

#[test]
fn a_balanced_call_inside_another_leases_a_key_of_its_own() {
    let balancer = pool(2);
    let _entered = balancer.enter();
    let outer = balancer.lease().unwrap();
    assert_ne!(inner_sync().unwrap(), *outer.key());
    outer.success();
    assert_eq!(counts(&balancer), (2, 2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_tasks_each_see_their_own_key() {
    let balancer = pool(8);
    let tasks: Vec<_> = (0..64).map(|_| tokio::spawn(balancer.scope(async { outer().await }))).collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(counts(&balancer), (128, 128, 0));
}

#[test]
fn traffic_follows_the_weights() {
    let balancer = Balancer::builder()
        .key(egb::KeyConfig::new("test-key-0").weight(1.0))
        .key(egb::KeyConfig::new("test-key-1").weight(3.0))
        .key(egb::KeyConfig::new("test-key-2").weight(0.5))
        .in_memory()
        .build()
        .unwrap();
    for _ in 0..9_000 {
        balancer.lease().unwrap().success();
    }
    let calls: Vec<u64> = balancer.stats().keys.iter().map(|key| key.calls).collect();
    for (calls, expected) in calls.iter().zip([2_000_u64, 6_000, 1_000]) {
        assert!(calls.abs_diff(expected) <= 2, "{calls} instead of {expected}");
    }
}

#[test]
fn a_cooled_key_returns_when_its_time_has_come() {
    let clock = ManualClock::new();
    let balancer = Balancer::builder().keys(["test-key-0", "test-key-1"]).clock(clock.clone()).build().unwrap();
    let lease = balancer.lease().unwrap();
    let cooled = lease.key().clone();
    lease.end(Failure::status(429).with_retry_after(Duration::from_secs(30)));
    for _ in 0..4 {
        assert_ne!(balancer.key().unwrap(), cooled);
    }
    clock.advance(Duration::from_secs(30));
    assert_eq!(balancer.key().unwrap(), cooled);
}

#[test]
fn debug_output_shows_no_key() {
    let secret = "test-key-that-is-long-enough-0123456789";
    let balancer = Balancer::builder().key(secret).in_memory().build().unwrap();
    let lease = balancer.lease().unwrap();
    let shown = format!("{balancer:?} {lease:?} {:#?} {:?}", balancer.stats(), egb::KeyConfig::new(secret));
    assert!(!shown.contains(&secret[4..12]), "{shown}");
}
