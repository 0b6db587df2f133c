//! A second attempt beside a slow first one, on a clock that moves when told.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use egb::{Balancer, Clock as _, Error, Key, ManualClock, StatusCode, balanced};

const AFTER: Duration = Duration::from_millis(800);

#[derive(Debug, thiserror::Error, StatusCode)]
enum ApiError {
    #[error("status {0}")]
    #[status(field = 0)]
    Status(u16),
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] Error),
}

/// What an attempt does: how long it takes, and what it answers.
type Plan = (u64, u16);

struct Bench {
    pool: Balancer,
    clock: ManualClock,
    plans: RefCell<Vec<Plan>>,
    /// The key of each attempt, and when it began.
    began: RefCell<Vec<(Key, Duration)>>,
}

#[balanced(balancer = bench.pool, hedge = AFTER, retries = retries, deadline = "1h")]
async fn call(key: Key, bench: &Bench, retries: u32) -> Result<u16, ApiError> {
    let (millis, status) = bench.plans.borrow_mut().remove(0);
    let start = bench.clock.monotonic();
    bench.began.borrow_mut().push((key, start));
    bench.clock.sleep_until(start + Duration::from_millis(millis)).await;
    if status == 200 { Ok(status) } else { Err(ApiError::Status(status)) }
}

impl Bench {
    fn new(keys: usize, plans: &[Plan]) -> Self {
        let clock = ManualClock::new();
        let keys = (0..keys).map(|n| format!("test-key-{n}"));
        let pool = Balancer::builder().keys(keys).clock(clock.clone()).build().unwrap();
        Self { pool, clock, plans: RefCell::new(plans.to_vec()), began: RefCell::default() }
    }

    /// Runs a future, and lets time pass when it sleeps. Returns how many milliseconds that took.
    fn drive<T>(&self, future: impl Future<Output = T>) -> (T, u128) {
        let (mut future, start) = (pin!(future), self.clock.monotonic());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return (output, self.clock.monotonic().saturating_sub(start).as_millis());
            }
            let next = self.clock.next_wake().expect("it waits for time to pass, and for nothing else");
            self.clock.advance(next);
        }
    }

    fn call(&self, retries: u32) -> (Result<u16, ApiError>, u128) {
        self.drive(call(self, retries))
    }

    /// Uses, successes, failures.
    fn counts(&self) -> (u64, u64, u64) {
        let stats = self.pool.stats();
        (stats.uses(), stats.successes(), stats.failures())
    }

    fn keys_differ(&self) -> bool {
        let began = self.began.borrow();
        began.iter().enumerate().all(|(at, (key, _))| began[..at].iter().all(|(other, _)| other != key))
    }
}

#[test]
fn a_quick_answer_starts_no_second_attempt() {
    let bench = Bench::new(3, &[(799, 200)]);
    assert!(matches!(bench.call(0), (Ok(200), 799)));
    assert_eq!(bench.counts(), (1, 1, 0));
}

#[test]
fn the_second_attempt_wins_when_it_is_faster_and_the_first_says_nothing() {
    let bench = Bench::new(3, &[(60_000, 200), (100, 200)]);
    assert!(matches!(bench.call(0), (Ok(200), 900)));
    assert_eq!(bench.counts(), (2, 1, 0));
    assert!(bench.keys_differ());
    let stats = bench.pool.stats();
    assert_eq!((stats.calls(), stats.keys.iter().map(|key| key.in_flight).sum::<u32>()), (1, 0), "it is cancelled");
    assert!(stats.keys.iter().all(|key| key.health.factor() == 1.0));
}

#[test]
fn the_first_attempt_wins_when_it_is_faster_after_all() {
    let bench = Bench::new(3, &[(900, 200), (60_000, 503)]);
    assert!(matches!(bench.call(0), (Ok(200), 900)));
    assert_eq!(bench.counts(), (2, 1, 0));
}

#[test]
fn when_one_fails_the_other_goes_on() {
    for plans in [[(900, 503), (500, 200)], [(1_300, 200), (100, 503)]] {
        let bench = Bench::new(3, &plans);
        assert!(matches!(bench.call(0), (Ok(200), 1_300)), "{plans:?}");
        assert_eq!(bench.counts(), (2, 1, 1));
    }
}

#[test]
fn when_both_fail_a_retry_takes_a_third_key() {
    for plans in [[(900, 503), (500, 500), (50, 200)], [(1_300, 503), (100, 500), (50, 200)]] {
        let bench = Bench::new(4, &plans);
        assert!(matches!(bench.call(1), (Ok(200), 1_350)), "{plans:?}");
        assert_eq!(bench.counts(), (3, 1, 2));
        assert!(bench.keys_differ(), "{:?}", bench.began);
        assert_eq!(bench.pool.stats().calls(), 1);
    }
    let bench = Bench::new(4, &[(900, 503), (500, 500), (50, 503), (50, 200)]);
    assert!(matches!(bench.call(1), (Err(ApiError::Status(503)), _)), "two attempts are one");
    assert_eq!(bench.counts(), (3, 0, 3));
}

#[test]
fn the_same_server_error_on_both_keys_is_the_requests_fault() {
    for plans in [[(900, 503), (500, 503)], [(1_300, 503), (100, 503)]] {
        let bench = Bench::new(8, &plans);
        assert!(matches!(bench.call(0), (Err(ApiError::Status(503)), 1_300)), "{plans:?}");
        let blamed = bench.pool.stats().keys.iter().filter(|key| key.health.factor() < 1.0).count();
        assert_eq!((bench.counts(), blamed), ((2, 0, 2), 1), "{plans:?}: one key bears the blame");
    }
}

#[test]
fn without_another_free_key_the_first_attempt_goes_on_alone() {
    let bench = Bench::new(1, &[(5_000, 200)]);
    assert!(matches!(bench.call(2), (Ok(200), 5_000)));
    assert_eq!(bench.counts(), (1, 1, 0));
}

#[test]
fn the_deadline_stops_both() {
    let bench = Bench::new(3, &[(9_000_000, 200), (9_000_000, 200)]);
    assert!(matches!(bench.call(0), (Err(ApiError::Balance(Error::DeadlineExceeded)), 3_600_000)));
    assert_eq!(bench.counts(), (2, 0, 0));
    assert_eq!(bench.pool.stats().keys.iter().map(|key| key.in_flight).sum::<u32>(), 0);
}

#[test]
fn a_call_that_is_dropped_gives_both_keys_back() {
    let bench = Bench::new(2, &[(9_000, 200), (9_000, 200)]);
    {
        let mut running = pin!(call(&bench, 0));
        let mut context = Context::from_waker(Waker::noop());
        assert!(running.as_mut().poll(&mut context).is_pending());
        bench.clock.advance(AFTER);
        assert!(running.as_mut().poll(&mut context).is_pending());
        assert_eq!(bench.began.borrow().len(), 2);
        assert_eq!(bench.pool.stats().keys.iter().map(|key| key.in_flight).sum::<u32>(), 2);
    }
    assert_eq!(bench.pool.stats().keys.iter().map(|key| key.in_flight).sum::<u32>(), 0);
    assert_eq!(bench.counts(), (2, 0, 0));
}

#[balanced(balancer = pool, hedge = "1s")]
async fn nested(key: Key, pool: &Balancer) -> Result<bool, ApiError> {
    let mut polls = 0;
    poll_fn(|_| {
        polls += 1;
        if polls > 1 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    Ok(egb::key()? == key)
}

#[test]
fn each_attempt_sees_its_own_key() {
    let pool = Balancer::builder().keys(["test-key-1", "test-key-2"]).build().unwrap();
    let mut running = pin!(nested(&pool));
    let mut context = Context::from_waker(Waker::noop());
    assert!(running.as_mut().poll(&mut context).is_pending());
    let Poll::Ready(Ok(is_same)) = running.as_mut().poll(&mut context) else { panic!("it is ready") };
    assert!(is_same);
}
