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
    /// Sessions that stick to their keys.
    pub sessions: SessionStats,
}

/// The memory of sessions (`affinity`), since the start of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStats {
    /// Sessions that are remembered now.
    pub remembered: usize,
    /// Sessions that can be: see [`cache_size`](crate::BalancerBuilder::cache_size).
    pub capacity: usize,
    /// Calls that got the key of their session.
    pub hits: u64,
    /// Calls whose session moved to another key, as its own was not free.
    pub moves: u64,
    /// Calls of sessions that were not known.
    pub misses: u64,
}

impl SessionStats {
    /// The part of calls with a session that got its key, from 0 to 1; `None` when there were none.
    pub fn hit_rate(&self) -> Option<f64> {
        part(self.hits, self.hits + self.moves + self.misses)
    }
}

/// A part of a whole, from 0 to 1; `None` of nothing.
pub(crate) fn part(some: u64, all: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 calls")]
    let part = some as f64 / all as f64;
    (all > 0).then_some(part)
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
    /// The scopes in which it is worse off than that, in this process's view, or has limits of its own; by name.
    pub scopes: Vec<ScopeStats>,
    /// Its limits, the balancer's defaults included; those of its group, if it is in one.
    pub limits: Limits,
    /// Requests a minute, as learned from 429s, where no limit is given.
    pub learned_rpm: Option<u32>,
    /// Calls in the last minute, if a limit counts them: those of its group, if it is in one, as in what follows.
    pub used_in_minute: Option<u32>,
    /// The most calls that any minute had since this process began, if a limit counts them.
    pub peak_in_minute: Option<u32>,
    /// Calls since midnight, if a limit counts them.
    pub used_today: Option<u32>,
    /// Tokens in the last minute, if a limit counts them.
    pub tokens_in_minute: Option<u64>,
    /// Times that the key was given to a call: each attempt of a retried call is one.
    pub calls: u64,
    /// Those of them that began a call: the first attempt's, and of several keys the first.
    pub begun: u64,
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

/// How a key is for the calls of one scope.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScopeStats {
    /// The scope's name.
    pub scope: String,
    /// The key's health within it; the instants are UTC by the wall clock.
    pub health: Health,
    /// The limits for its calls.
    pub limits: Limits,
    /// Requests a minute, as learned from 429s, where no limit is given.
    pub learned_rpm: Option<u32>,
    /// Calls in the last minute, if a limit counts them.
    pub used_in_minute: Option<u32>,
    /// The most calls that any minute had since this process began, if a limit counts them.
    pub peak_in_minute: Option<u32>,
    /// Calls since midnight, if a limit counts them.
    pub used_today: Option<u32>,
    /// Tokens in the last minute, if a limit counts them.
    pub tokens_in_minute: Option<u64>,
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

    /// Calls that were given a key, as their callers count them: one that was retried, or took several
    /// keys, is one.
    pub fn calls(&self) -> u64 {
        self.keys.iter().map(|key| key.begun).sum()
    }

    /// Times that a key was given to a call: more than [`calls`](Self::calls) when calls are retried or
    /// take several keys. [`successes`](Self::successes) and [`failures`](Self::failures) are of these.
    pub fn uses(&self) -> u64 {
        self.keys.iter().map(|key| key.calls).sum()
    }

    /// Uses that succeeded.
    pub fn successes(&self) -> u64 {
        self.keys.iter().map(|key| key.successes).sum()
    }

    /// Uses that failed.
    pub fn failures(&self) -> u64 {
        self.keys.iter().map(|key| key.failures).sum()
    }

    /// The part of uses that succeeded, from 0 to 1, of those that succeeded or failed; `None` when there were none.
    pub fn success_rate(&self) -> Option<f64> {
        let (successes, failures) = (self.successes(), self.failures());
        part(successes, successes + failures)
    }

    /// Uses that failed with status 429.
    pub fn throttled(&self) -> u64 {
        self.keys.iter().map(|key| key.throttled).sum()
    }

    fn count(&self, wanted: impl Fn(&KeyStats) -> bool) -> usize {
        self.keys.iter().filter(|key| wanted(key)).count()
    }
}
