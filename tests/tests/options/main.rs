//! The options of `#[balanced]`: what each does to a call, on a clock that moves when told.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use egb::{Balancer, Error, Failure, KeyConfig, Lease, ManualClock, StatusCode};

mod balancers;
mod deadlines;
mod leases;
mod retries;
mod scopes_and_sessions;
mod waits;

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
