//! Checkouts read a clock that may be some milliseconds behind the one by which keys come back.

use std::sync::Mutex;

use super::*;
use crate::clock::Sleep;
use crate::{Balancer, Error};

const LAG: Duration = Duration::from_millis(3);

/// A clock whose coarse reading stands still for a while, as a system's does between its ticks.
#[derive(Clone, Debug)]
struct Lagging {
    exact: ManualClock,
    tick: Arc<Mutex<Option<Duration>>>,
}

impl Lagging {
    fn new() -> Self {
        Self { exact: ManualClock::new(), tick: Arc::default() }
    }

    /// Time passes, but for the last part of it in the coarse reading.
    fn advance(&self, by: Duration) {
        self.exact.advance(by);
        *self.tick.lock().unwrap() = Some(self.exact.monotonic().saturating_sub(LAG));
    }
}

impl Clock for Lagging {
    fn monotonic(&self) -> Duration {
        self.exact.monotonic()
    }

    fn monotonic_coarse(&self) -> Duration {
        self.tick.lock().unwrap().unwrap_or_else(|| self.exact.monotonic())
    }

    fn utc(&self) -> SystemTime {
        self.exact.utc()
    }

    fn sleep_until(&self, at: Duration) -> Sleep {
        self.exact.sleep_until(at)
    }
}

fn balancer(clock: &Lagging, configs: impl IntoIterator<Item = KeyConfig>) -> Balancer {
    let builder = Balancer::builder().clock(clock.clone()).seed(7);
    configs.into_iter().fold(builder, crate::BalancerBuilder::key).build().unwrap()
}

#[test]
fn a_key_is_free_at_its_instant_and_not_a_tick_later() {
    let clock = Lagging::new();
    let balancer = balancer(&clock, keys(1));
    balancer.lease().unwrap().end(Failure::status(429).with_retry_after(60 * SECOND));
    clock.advance(Duration::from_nanos(59_999_999_999));
    assert!(balancer.lease().is_err());
    clock.advance(Duration::from_nanos(1));
    balancer.lease().unwrap().success();
    balancer.key().unwrap();
}

#[test]
fn half_open_keys_are_probed_once_each() {
    let clock = Lagging::new();
    let balancer = balancer(&clock, keys(8));
    for config in keys(8) {
        (0..5).for_each(|_| balancer.report(&config.key, 503));
    }
    assert!(balancer.key().is_err());
    clock.advance(30 * SECOND);
    let probes = (0..50).filter(|_| balancer.key().is_ok()).count();
    assert_eq!(probes, 8);
}

#[test]
fn no_minute_holds_more_uses_than_the_limit() {
    let clock = Lagging::new();
    let balancer = balancer(&clock, keys(3).map(|config| config.rpm(1)));
    clock.advance(10 * SECOND);
    (0..3).for_each(|_| balancer.lease().unwrap().success());
    let Error::NoKeyFree { retry_after: Some(wait), .. } = balancer.lease().unwrap_err() else {
        panic!("all are spent")
    };
    clock.advance(wait);
    (0..3).for_each(|_| balancer.lease().unwrap().success());
    assert!(balancer.stats().keys.iter().all(|key| key.peak_in_minute == Some(1)));
}

#[test]
fn a_use_that_is_booked_early_leaves_the_window_no_earlier_than_it_may() {
    let clock = Lagging::new();
    let balancer = balancer(&clock, [KeyConfig::new("test-key-0").rpm(1)]);
    clock.advance(10 * SECOND);
    balancer.lease().unwrap().success();
    clock.advance(Duration::from_millis(60_180));
    assert!(balancer.lease().is_err());
    clock.advance(LAG + LAG);
    clock.advance(LAG + LAG);
    balancer.lease().unwrap().success();
}
