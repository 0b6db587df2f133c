//! The options of `#[balanced]`: what each does to a call, on a clock that moves when told.

use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use egb::{Balancer, Error, Failure, Key, KeyConfig, KeyState, Lease, ManualClock, StatusCode, balanced};
use futures::stream::{self, StreamExt};
use parking_lot::Mutex;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error, StatusCode)]
enum ApiError {
    #[error("status {0}")]
    #[status(field = 0)]
    Status(u16),
    #[error("throttled")]
    #[status(429)]
    Throttled(#[retry_after] Duration),
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] Error),
}

struct Bench {
    balancer: Balancer,
    clock: ManualClock,
}

impl Bench {
    fn new(count: usize) -> Self {
        Self::of((0..count).map(|n| KeyConfig::new(format!("test-key-{n}"))))
    }

    fn of(keys: impl IntoIterator<Item = KeyConfig>) -> Self {
        let clock = ManualClock::new();
        let builder = keys.into_iter().fold(Balancer::builder(), egb::BalancerBuilder::key);
        Self { balancer: builder.clock(clock.clone()).build().unwrap(), clock }
    }

    /// Runs a future, and lets time pass when it sleeps. Returns how long that was.
    fn drive<T>(&self, future: impl Future<Output = T>) -> (T, Duration) {
        let mut future = pin!(future);
        let mut passed = Duration::ZERO;
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return (output, passed);
            }
            let next = self.clock.next_wake().expect("it waits for time to pass, and for nothing else");
            self.clock.advance(next);
            passed += next;
        }
    }

    /// Runs a sync call on another thread, and lets time pass when it sleeps.
    fn drive_sync<T: Send>(&self, call: impl FnOnce() -> T + Send) -> (T, Duration) {
        let mut passed = Duration::ZERO;
        thread::scope(|scope| {
            let running = scope.spawn(call);
            while !running.is_finished() {
                if let Some(next) = self.clock.next_wake() {
                    self.clock.advance(next);
                    passed += next;
                }
                thread::yield_now();
            }
            (running.join().unwrap(), passed)
        })
    }

    fn rest_all(&self, waits: impl IntoIterator<Item = u32>) {
        let leases: Vec<Lease> = self.balancer.stats().keys.iter().map(|_| self.balancer.lease().unwrap()).collect();
        for (lease, wait) in leases.into_iter().zip(waits) {
            lease.end(Failure::status(429).with_retry_after(wait * SECOND));
        }
    }
}

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
fn a_scope_keeps_cooldowns_apart() {
    struct Client {
        pool: Balancer,
        model: String,
    }
    impl Client {
        #[balanced(balancer = self.pool, scope = self.model)]
        fn ask(&self, _key: &Key, status: u16) -> Result<(), ApiError> {
            if status == 200 { Ok(()) } else { Err(ApiError::Status(status)) }
        }
    }
    let bench = Bench::new(1);
    let client = |model: &str| Client { pool: bench.balancer.clone(), model: model.to_owned() };
    client("pro").ask(429).unwrap_err();
    assert!(matches!(client("pro").ask(200), Err(ApiError::Balance(_))));
    client("flash").ask(200).unwrap();
    let stats = bench.balancer.stats();
    assert_eq!((stats.keys[0].state, stats.keys[0].scopes[0].scope.as_str()), (KeyState::Available, "pro"));
    client("flash").ask(401).unwrap_err();
    assert_eq!(bench.balancer.stats().disabled(), 1, "a revoked key is revoked in every scope");
}

#[test]
fn retries_stay_in_the_scope() {
    #[balanced(balancer = pool, scope = "model", retries = 2)]
    async fn failing(_key: Key, pool: &Balancer) -> Result<(), ApiError> {
        Err(ApiError::Throttled(60 * SECOND))
    }
    let bench = Bench::new(3);
    bench.drive(failing(&bench.balancer)).0.unwrap_err();
    let stats = bench.balancer.stats();
    assert_eq!((stats.available(), stats.uses(), stats.calls()), (3, 3, 1));
    assert!(stats.keys.iter().all(|key| key.scopes.len() == 1));
}

#[test]
fn a_session_sticks_to_its_key() {
    #[balanced(balancer = pool, affinity = session)]
    fn talk(key: Key, pool: &Balancer, session: Option<&str>) -> Result<Key, ApiError> {
        Ok(key)
    }
    let bench = Bench::new(3);
    let anna = talk(&bench.balancer, Some("anna")).unwrap();
    let ben = talk(&bench.balancer, Some("ben")).unwrap();
    assert_ne!(anna, ben);
    for _ in 0..3 {
        assert_eq!(talk(&bench.balancer, Some("anna")).unwrap(), anna);
        assert_eq!(talk(&bench.balancer, Some("ben")).unwrap(), ben);
    }
    let others: Vec<Key> = (0..3).map(|_| talk(&bench.balancer, None).unwrap()).collect();
    assert!(others[0] != others[1] && others[1] != others[2], "without a session keys take turns");
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

#[balanced(balancer = pool)]
async fn with_lease(lease: Lease, pool: &Balancer, what: &str) -> Result<Option<Lease>, ApiError> {
    match what {
        "ends it well" => lease.success(),
        "ends it badly" => lease.end(403),
        "keeps it" => return Ok(Some(lease)),
        "fails before" => return Err(ApiError::Throttled(60 * SECOND)),
        "drops it" => drop(lease),
        _ => unreachable!(),
    }
    Ok(None)
}

#[test]
fn a_body_that_takes_the_lease_ends_it_or_leaves_that_to_the_result() {
    for (what, successes, failures, in_flight) in [
        ("ends it well", 1, 0, 0),
        ("ends it badly", 0, 1, 0),
        ("keeps it", 0, 0, 1),
        ("fails before", 0, 1, 0),
        ("drops it", 1, 0, 0),
    ] {
        let bench = Bench::new(1);
        let (kept, _) = bench.drive(with_lease(&bench.balancer, what));
        let stats = bench.balancer.stats();
        assert_eq!(
            (stats.successes(), stats.failures(), stats.keys[0].in_flight),
            (successes, failures, in_flight),
            "{what}"
        );
        drop(kept);
        let stats = bench.balancer.stats();
        assert_eq!((stats.successes(), stats.failures(), stats.keys[0].in_flight), (successes, failures, 0), "{what}");
    }
}

#[test]
fn a_sync_body_may_take_the_lease_too_and_be_retried() {
    #[balanced(balancer = pool, keys = 2, retries = 1)]
    fn sync(lease: Lease, pool: &Balancer, attempts: &AtomicU32) -> Result<usize, ApiError> {
        assert_eq!(egb::key().unwrap(), *lease.key());
        if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
            return Err(ApiError::Status(503));
        }
        Ok(lease.keys().len())
    }
    let bench = Bench::new(4);
    assert_eq!(sync(&bench.balancer, &AtomicU32::new(0)).unwrap(), 2);
    let stats = bench.balancer.stats();
    assert_eq!((stats.uses(), stats.failures(), stats.successes()), (4, 2, 2));
}

#[balanced(balancer = pool)]
async fn streams(
    lease: Lease,
    pool: &Balancer,
    items: Vec<Result<u8, u16>>,
) -> Result<impl futures::Stream<Item = Result<u8, ApiError>> + use<>, ApiError> {
    let items = stream::iter(items).map(|item| {
        assert!(egb::key().is_ok(), "the stream runs within its call");
        item.map_err(ApiError::Status)
    });
    Ok(lease.attach(items))
}

#[test]
fn a_stream_holds_its_key_until_it_ends_fails_or_is_dropped() {
    let bench = Bench::new(1);
    let counts = || {
        let stats = bench.balancer.stats();
        (stats.successes(), stats.failures(), stats.keys[0].in_flight)
    };
    let mut stream = Box::pin(bench.drive(streams(&bench.balancer, vec![Ok(1), Ok(2)])).0.unwrap());
    assert_eq!(counts(), (0, 0, 1));
    assert_eq!(bench.drive(stream.next()).0.unwrap().unwrap(), 1);
    assert_eq!(counts(), (0, 0, 1));
    assert_eq!(bench.drive(stream.collect::<Vec<_>>()).0.len(), 1);
    assert_eq!(counts(), (1, 0, 0), "it ended");

    let mut stream = Box::pin(bench.drive(streams(&bench.balancer, vec![Ok(1), Err(400), Ok(3)])).0.unwrap());
    assert!(bench.drive(stream.next()).0.unwrap().is_ok());
    assert!(bench.drive(stream.next()).0.unwrap().is_err());
    assert_eq!(counts(), (1, 1, 0), "it failed, and what follows changes nothing");
    assert!(bench.drive(stream.next()).0.unwrap().is_ok());
    drop(stream);
    assert_eq!(counts(), (1, 1, 0));

    let mut stream = Box::pin(bench.drive(streams(&bench.balancer, vec![Ok(1), Ok(2)])).0.unwrap());
    assert!(bench.drive(stream.next()).0.unwrap().is_ok());
    drop(stream);
    assert_eq!(counts(), (1, 1, 0), "it was dropped: neutral");
}

#[test]
fn a_stream_that_finds_its_key_revoked_yields_the_error_when_that_is_on_disk() {
    let folder = egb_tests::tempdir().unwrap();
    let path = folder.path().join("keys.db");
    let balancer = Balancer::builder().key("test-key").db(&path).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut stream = Box::pin(streams(&balancer, vec![Err(401)]).await.unwrap());
        assert!(stream.next().await.unwrap().is_err());
        let stored = rusqlite::Connection::open(&path).unwrap();
        let disabled: bool = stored.query_one("SELECT disabled FROM keys", [], |row| row.get(0)).unwrap();
        assert!(disabled);
    });
}

/// As when a program takes other keys while a call runs.
type Slot = Mutex<Option<Balancer>>;

#[balanced(balancer = slot.lock().clone().unwrap(), retries = 1)]
async fn swapped(key: Key, slot: &Slot, tried: &AtomicU32) -> Result<Key, ApiError> {
    drop(slot.lock().take());
    match tried.fetch_add(1, Ordering::SeqCst) {
        0 => Err(ApiError::Status(429)),
        _ => Ok(key),
    }
}

#[balanced(balancer = slot.lock().clone().unwrap(), deadline = "1s")]
async fn swapped_and_slow(_key: Key, slot: &Slot) -> Result<(), ApiError> {
    drop(slot.lock().take());
    std::future::pending().await
}

#[test]
fn a_call_goes_on_as_ever_when_its_balancer_is_dropped_meanwhile() {
    let clock = ManualClock::new();
    let builder = || Balancer::builder().keys(["test-key-1", "test-key-2"]).clock(clock.clone()).in_memory();
    let (slot, tried) = (Slot::new(Some(builder().build().unwrap())), AtomicU32::new(0));
    let mut events = slot.lock().as_ref().unwrap().subscribe();
    let waker = || Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(_)) = pin!(swapped(&slot, &tried)).poll(&mut waker()) else { panic!("another key is free") };
    assert_eq!(tried.into_inner(), 2);
    assert!(matches!(pin!(events.next()).poll(&mut waker()), Poll::Ready(Ok(Some(_)))), "of the 429");
    assert!(matches!(pin!(events.next()).poll(&mut waker()), Poll::Ready(Ok(None))), "the call was the last");

    *slot.lock() = Some(builder().build().unwrap());
    let mut endless = pin!(swapped_and_slow(&slot));
    assert!(endless.as_mut().poll(&mut waker()).is_pending());
    clock.advance(SECOND);
    let ended = endless.as_mut().poll(&mut waker());
    assert!(matches!(ended, Poll::Ready(Err(ApiError::Balance(Error::DeadlineExceeded)))));
}
