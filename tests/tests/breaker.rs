//! The circuit breaker of a key: when it opens, whom it lets through, and what closes it.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use egb::{Balancer, Error, EventKind, Failure, KeyState, Lease, ManualClock, Policy, Reason, Rule};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

struct Bench {
    pool: Balancer,
    clock: ManualClock,
}

impl Bench {
    fn new() -> Self {
        Self::with(Policy::default())
    }

    fn with(policy: Policy) -> Self {
        let clock = ManualClock::new();
        let pool = Balancer::builder().key("test-key").policy(policy).clock(clock.clone()).build().unwrap();
        Self { pool, clock }
    }

    /// A bench whose only key waits for its probe.
    fn half_open() -> Self {
        let bench = Self::new();
        for _ in 0..5 {
            bench.pool.lease().unwrap().end(503);
        }
        assert_eq!(bench.state(), KeyState::CoolingDown);
        bench.come_back();
        bench
    }

    /// Lets the rest pass, and no more. Returns how long it was.
    fn come_back(&self) -> Duration {
        let wait = self.pool.lease().unwrap_err().retry_after().unwrap();
        self.clock.advance(wait);
        assert_eq!(self.state(), KeyState::HalfOpen);
        wait
    }

    fn state(&self) -> KeyState {
        self.pool.stats().keys[0].state
    }
}

#[test]
fn it_opens_after_five_server_faults_in_a_row() {
    let bench = Bench::new();
    let network = || Failure::new(Reason::Network);
    for verdict in [Failure::status(500), Failure::status(502), Failure::status(504), network()] {
        bench.pool.lease().unwrap().end(verdict);
    }
    bench.pool.lease().unwrap().success();
    for _ in 0..4 {
        bench.pool.lease().unwrap().end(network());
    }
    // The request's fault is none of the server's, and ends no row either.
    bench.pool.lease().unwrap().end(404);
    assert_eq!(bench.state(), KeyState::Available);
    bench.pool.lease().unwrap().end(503);
    assert_eq!(bench.state(), KeyState::CoolingDown);
}

#[test]
fn of_many_threads_that_race_one_is_the_probe() {
    const THREADS: usize = 8;
    for round in 0..60 {
        let bench = Bench::half_open();
        let (through, start, done) = (AtomicUsize::new(0), Barrier::new(THREADS), Barrier::new(THREADS));
        thread::scope(|scope| {
            for number in 0..THREADS {
                let (bench, through, start, done) = (&bench, &through, &start, &done);
                scope.spawn(move || {
                    start.wait();
                    let lease = match (number + round) % 3 {
                        0 => bench.pool.lease(),
                        1 => bench.pool.checkout().wait(Duration::ZERO).lease(),
                        _ => bench.pool.key().and_then(|_| {
                            through.fetch_add(1, Ordering::SeqCst);
                            Err(Error::DeadlineExceeded)
                        }),
                    };
                    through.fetch_add(usize::from(lease.is_ok()), Ordering::SeqCst);
                    done.wait();
                    drop(lease);
                });
            }
        });
        assert_eq!(through.into_inner(), 1, "round {round}");
    }
}

#[test]
fn a_success_closes_it_and_a_failure_opens_it_for_twice_as_long() {
    let bench = Bench::half_open();
    let mut events = bench.pool.subscribe();
    let mut waits = Vec::new();
    for _ in 0..8 {
        bench.pool.lease().unwrap().end(503);
        waits.push(bench.come_back());
    }
    for (turn, wait) in (1..).zip(&waits) {
        let least = (5 * SECOND * 2_u32.pow(turn)).min(5 * MINUTE);
        assert!((least..=(least + least / 4).min(5 * MINUTE)).contains(wait), "{turn}: {wait:?}");
    }
    bench.pool.lease().unwrap().success();
    assert_eq!(bench.state(), KeyState::Available);
    let many: Vec<Lease> = (0..20).map(|_| bench.pool.lease().unwrap()).collect();
    assert_eq!(many.len(), 20, "all are let through again");
    let last = std::iter::from_fn(|| events.try_next().unwrap()).last().unwrap();
    assert_eq!(last.kind, EventKind::CircuitClosed);
}

#[test]
fn a_probe_that_hangs_gives_its_place_back_and_is_not_heard_late() {
    let bench = Bench::half_open();
    let hung = bench.pool.lease().unwrap();
    assert_eq!(bench.pool.lease().unwrap_err().retry_after(), Some(MINUTE));
    bench.clock.advance(MINUTE);
    let second = bench.pool.lease().unwrap();
    assert!(bench.pool.lease().is_err(), "one at a time");
    // The end of the first is not that of the second.
    drop(hung);
    assert!(bench.pool.lease().is_err());
    second.success();
    assert_eq!(bench.state(), KeyState::Available);
}

#[test]
fn a_probe_that_is_cancelled_or_panics_gives_its_place_back_at_once() {
    let bench = Bench::half_open();
    drop(bench.pool.lease().unwrap());
    assert_eq!(bench.state(), KeyState::HalfOpen);
    let panicked = thread::scope(|scope| {
        let call = || -> Result<(), Error> { bench.pool.with_keys(1, |_| panic!("as tests do")) };
        scope.spawn(call).join()
    });
    assert!(panicked.is_err());
    bench.pool.lease().unwrap().end(400);
    let probe = bench.pool.lease().unwrap();
    assert!(bench.pool.lease().is_err(), "none of those was an answer, and this is the probe");
    probe.success();
    assert_eq!(bench.state(), KeyState::Available);
}

#[test]
fn a_disabled_key_that_may_revive_is_probed_by_one() {
    let bench = Bench::with(Policy::default().revive_after(10 * MINUTE).on(418, Rule::disable()));
    bench.pool.lease().unwrap().end(418);
    assert_eq!((bench.state(), bench.pool.stats().disabled()), (KeyState::CoolingDown, 0));
    assert_eq!(bench.come_back(), 10 * MINUTE);
    let probe = bench.pool.lease().unwrap();
    assert!(bench.pool.lease().is_err());
    probe.end(418);
    assert_eq!(bench.come_back(), 10 * MINUTE);
    bench.pool.lease().unwrap().success();
    assert_eq!(bench.state(), KeyState::Available);
    bench.pool.lease().unwrap().end(401);
    bench.clock.advance(1_000 * MINUTE);
    assert_eq!(bench.state(), KeyState::Disabled, "one that is revoked stays out");
}
