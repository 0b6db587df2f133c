//! Pools for the tests of the monitor, on a clock that stands at noon.

use std::time::{Duration, SystemTime};

use super::model::{Model, Sort};
use crate::balancer::Balancer;
use crate::clock::{Clock, ManualClock};
use crate::config::KeyConfig;
use crate::events::Events;
use crate::lease::Lease;
use crate::outcome::Failure;

/// A pool and a monitor of it.
pub(super) struct Bench {
    pub(super) balancer: Balancer,
    pub(super) model: Model,
    clock: ManualClock,
    events: Events,
    /// Calls that are still running.
    running: Vec<Lease>,
}

impl Bench {
    pub(super) fn new(configs: impl IntoIterator<Item = KeyConfig>) -> Self {
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_694_400);
        let clock = ManualClock::at(noon);
        let mut builder = Balancer::builder().clock(clock.clone()).seed(7).learn_limits(false);
        let mut is_empty = true;
        for config in configs {
            builder = builder.key(config);
            is_empty = false;
        }
        if is_empty {
            builder = builder.key("a-key");
        }
        let balancer = builder.build().unwrap();
        let model = Model::new("keys.db".to_owned(), Duration::from_secs(1), Sort::Given, String::new(), noon);
        let events = balancer.subscribe();
        let mut bench = Self { balancer, model, clock, events, running: Vec::new() };
        if is_empty {
            let mut stats = bench.balancer.stats();
            stats.keys.clear();
            bench.model.look(stats, bench.clock.monotonic(), bench.clock.utc());
        } else {
            bench.look();
        }
        bench
    }

    /// A key in each state.
    pub(super) fn with_all_states() -> Self {
        let key = |label: &str| KeyConfig::new(format!("AIza-the-key-{label}")).label(label);
        let mut bench = Self::new([
            key("steady").weight(2.0).group("project-a"),
            KeyConfig::new("AIza-the-key-k1x"),
            key("throttled").group("project-b"),
            key("limited").rpm(5),
            key("busy").concurrency(1),
            key("half-open"),
            key("revoked"),
            key("a-label-that-has-no-room-in-the-column-of-a-small-screen"),
        ]);
        for second in 0..30 {
            bench.call("AIza-the-key-steady", 1 + second % 8, 200);
            bench.call("AIza-the-key-k1x", second / 10, 200);
            if second % 3 == 0 {
                bench.call("AIza-the-key-k1x", 1, 500);
            }
            bench.pass(1);
        }
        bench.call("AIza-the-key-half-open", 5, 503);
        bench.pass(20);
        bench.call("AIza-the-key-revoked", 1, 401);
        let failure = Failure::status(429).with_retry_after(Duration::from_secs(252));
        bench.balancer.report(&"AIza-the-key-throttled".into(), failure);
        bench.occupy();
        bench.pass(1);
        bench
    }

    /// Reports so many calls with a key.
    pub(super) fn call(&mut self, key: &str, calls: u64, status: u16) {
        (0..calls).for_each(|_| self.balancer.report(&key.into(), status));
    }

    /// Holds the key that serves one call at a time, and uses up the one that serves five a minute.
    fn occupy(&mut self) {
        for _ in 0..200 {
            let lease = self.balancer.lease().unwrap();
            let is_busy = lease.key() == &crate::Key::from("AIza-the-key-busy");
            if is_busy {
                self.running.push(lease);
            } else if lease.key() == &crate::Key::from("AIza-the-key-half-open") {
                drop(lease);
            } else {
                lease.success();
            }
        }
    }

    /// Time passes, with a look at each second.
    pub(super) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            self.look();
        }
    }

    pub(super) fn look(&mut self) {
        let now = self.clock.utc();
        self.model.look(self.balancer.stats(), self.clock.monotonic(), now);
        self.hear();
    }

    pub(super) fn hear(&mut self) {
        while let Some(event) = self.events.try_next().unwrap() {
            self.model.hear(&event, self.clock.utc());
        }
    }
}
