//! What a balancer shows of itself: one row a key, and the sums.

use std::time::SystemTime;

use crate::health::Health;
use crate::key::Fingerprint;
use crate::limits::Limits;

/// A picture of a pool at one moment, from [`Balancer::stats`](crate::Balancer::stats). No key is in it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// One row a key, in the order in which the keys were given.
    pub keys: Vec<KeyStats>,
}

/// One key in a [`Stats`]. Counts are over all processes that share the database, and all time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyStats {
    /// What may be shown of the key: `AIza…6789`.
    pub masked: String,
    /// The key's stable name.
    pub fingerprint: Fingerprint,
    /// Its label, if one was configured.
    pub label: Option<String>,
    /// Its group, if one was configured.
    pub group: Option<String>,
    /// Whether it can be used, and if not, why.
    pub state: KeyState,
    /// Its health; the instants are UTC by the wall clock.
    pub health: Health,
    /// Its limits, the balancer's defaults included.
    pub limits: Limits,
    /// Calls in the last minute, if a limit counts them.
    pub used_in_minute: Option<u32>,
    /// Calls since midnight, if a limit counts them.
    pub used_today: Option<u32>,
    /// Calls that the key was given to.
    pub calls: u64,
    /// Those that succeeded.
    pub successes: u64,
    /// Those that failed, whosever fault it was.
    pub failures: u64,
    /// Those that failed with status 429.
    pub throttled: u64,
    /// Calls that hold the key now, in this process.
    pub in_flight: u32,
    /// When it was given to a call last.
    pub last_used: Option<SystemTime>,
}

/// Whether a key can be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyState {
    /// It takes its turns.
    Available,
    /// It rests until [`Health::cooldown_until`].
    CoolingDown,
    /// Its requests per minute or per day are used up until then.
    Limited {
        /// UTC by the wall clock.
        until: SystemTime,
    },
    /// It serves as many calls as its concurrency limit allows.
    Busy,
    /// Its circuit was open; the next call probes it.
    HalfOpen,
    /// It is out until someone enables it.
    Disabled,
}

impl Stats {
    /// Keys in the pool.
    pub fn total(&self) -> usize {
        self.keys.len()
    }

    /// Keys that a call could get now.
    pub fn available(&self) -> usize {
        self.count(|key| matches!(key.state, KeyState::Available | KeyState::HalfOpen))
    }

    /// Keys that are out until someone enables them.
    pub fn disabled(&self) -> usize {
        self.count(|key| key.state == KeyState::Disabled)
    }

    /// Calls that were given a key.
    pub fn calls(&self) -> u64 {
        self.keys.iter().map(|key| key.calls).sum()
    }

    /// Calls that succeeded.
    pub fn successes(&self) -> u64 {
        self.keys.iter().map(|key| key.successes).sum()
    }

    /// Calls that failed.
    pub fn failures(&self) -> u64 {
        self.keys.iter().map(|key| key.failures).sum()
    }

    /// Calls that failed with status 429.
    pub fn throttled(&self) -> u64 {
        self.keys.iter().map(|key| key.throttled).sum()
    }

    fn count(&self, wanted: impl Fn(&KeyStats) -> bool) -> usize {
        self.keys.iter().filter(|key| wanted(key)).count()
    }
}
