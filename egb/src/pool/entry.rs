//! One key in the pool: the slot that running calls hold on to, and the entry behind the pool's lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::SystemTime;

use crate::clock::{Tick, Timeline, Wall};
use crate::config::KeyConfig;
use crate::health::{Health, Streaks};
use crate::key::Key;
use crate::limits::Budget;
use crate::outcome::Verdict;
use crate::policy::Policy;
use crate::schedule::SlotId;
use crate::stats::{KeyState, KeyStats};
use crate::store::{Counters, Record};

/// The part of a key's state that a running call holds on to.
pub(crate) struct Slot {
    pub(crate) id: SlotId,
    pub(crate) key: Key,
    /// A success changes nothing but the count: it needs no lock.
    pub(super) serene: AtomicBool,
    pub(super) dirty: AtomicBool,
    pub(super) in_flight: AtomicU32,
    /// Successes that were counted without the lock and not yet collected.
    pub(super) quiet_successes: AtomicI64,
}

pub(super) struct Entry {
    pub(super) slot: Arc<Slot>,
    pub(super) config: KeyConfig,
    pub(super) budget: Budget,
    pub(super) health: Health,
    /// See [`SharedState::epoch`](crate::store::SharedState::epoch).
    pub(super) epoch: u64,
    pub(super) last_used: Option<Tick>,
    /// By the wall clock: before this process began, where ticks do not reach.
    pub(super) used_before: Option<SystemTime>,
    /// The last checkout before the present cooldown began: verdicts up to it are late.
    pub(super) cooling_since: u64,
    /// The checkout that probes the half-open key.
    pub(super) probe: Option<u64>,
    pub(super) auto: Auto,
    /// On disk, by all processes.
    pub(super) stored: Counters,
    /// Handed to the writer and not yet confirmed.
    pub(super) writing: Counters,
    /// Not yet handed to the writer.
    pub(super) pending: Counters,
}

/// Keys fetched in auto-success mode and not reported since.
#[derive(Default)]
pub(super) struct Auto {
    pub(super) open: u32,
    /// The last fetch was not reported: the next one takes it for a success.
    pub(super) unjudged: bool,
    pub(super) last_fetch: u64,
}

impl Entry {
    pub(super) fn set_health(&mut self, health: Health, policy: &Policy) {
        if health.streaks.circuit == 0 {
            self.probe = None;
        }
        self.health = health;
        self.refresh_serene(policy);
    }

    pub(super) fn refresh_serene(&self, policy: &Policy) {
        // The instant matters only to a circuit, and one with a circuit is never serene.
        let unmoved = self.health.streaks == Streaks::default()
            && policy.next(&self.health, &Verdict::Success, SystemTime::UNIX_EPOCH) == self.health;
        let serene = unmoved && !self.health.disabled && self.concurrency().is_none() && self.probe.is_none();
        // In one order with `in_flight`: a call that ends must see this, or be seen to have ended.
        self.slot.serene.store(serene, Ordering::SeqCst);
    }

    pub(super) fn concurrency(&self) -> Option<u32> {
        self.config.limits.concurrency.map(std::num::NonZero::get)
    }

    /// Whether the key serves as many calls as it may.
    pub(super) fn is_busy(&self) -> bool {
        self.concurrency().is_some_and(|limit| self.slot.in_flight.load(Ordering::SeqCst) >= limit)
    }

    pub(super) fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Success => self.pending.successes += 1,
            Verdict::Neutral => {}
            Verdict::Failure(failure) => {
                self.pending.failures += 1;
                self.pending.throttled += i64::from(failure.status_code() == Some(429));
            }
        }
    }

    pub(super) fn new(
        id: SlotId,
        config: KeyConfig,
        record: Option<Record>,
        policy: &Policy,
        timeline: &Timeline,
    ) -> Self {
        let slot = Slot {
            id,
            key: config.key.clone(),
            serene: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            quiet_successes: AtomicI64::new(0),
        };
        let mut health = Health::new(config.weight);
        let (mut epoch, mut stored, mut used_before) = (0, Counters::default(), None);
        if let Some(record) = record {
            let wall = timeline.wall();
            let now = timeline.time_of(timeline.now());
            health = record.state.health.moved(|instant| wall.time_of_wall(instant)).restored(now);
            health.set_weight(config.weight);
            epoch = record.state.epoch;
            stored = record.counters;
            used_before = record.state.last_used;
        }
        let budget = Budget::new(config.limits);
        let entry = Self {
            slot: Arc::new(slot),
            config,
            budget,
            health,
            epoch,
            last_used: None,
            used_before,
            cooling_since: 0,
            probe: None,
            auto: Auto::default(),
            stored,
            writing: Counters::default(),
            pending: Counters::default(),
        };
        entry.refresh_serene(policy);
        entry
    }

    pub(super) fn row(&self, timeline: &Timeline, wall: Wall, now: Tick) -> KeyStats {
        let mut counters = self.stored;
        counters.add(&self.writing);
        counters.add(&self.pending);
        counters.successes = counters.successes.saturating_add(self.slot.quiet_successes.load(Ordering::SeqCst));
        KeyStats {
            masked: self.slot.key.masked(),
            fingerprint: self.slot.key.fingerprint(),
            label: self.config.label.clone(),
            group: self.config.group.clone(),
            state: self.key_state(timeline, wall, now),
            health: self.health.moved(|instant| wall.wall_of(instant)),
            limits: self.config.limits,
            used_in_minute: self.budget.used_in_minute(now),
            used_today: self.budget.used_today(now),
            calls: unsigned(counters.calls),
            successes: unsigned(counters.successes),
            failures: unsigned(counters.failures),
            throttled: unsigned(counters.throttled),
            in_flight: self.slot.in_flight.load(Ordering::Relaxed),
            last_used: self.last_used(wall),
        }
    }

    /// When the key was used last, by the wall clock.
    pub(super) fn last_used(&self, wall: Wall) -> Option<SystemTime> {
        self.last_used.map(|tick| wall.past_wall_of(tick)).or(self.used_before)
    }

    pub(super) fn key_state(&self, timeline: &Timeline, wall: Wall, now: Tick) -> KeyState {
        let time = timeline.time_of(now);
        let limited = self.budget.ready_at(now);
        if self.health.disabled {
            KeyState::Disabled
        } else if self.health.is_cooling(time) {
            KeyState::CoolingDown
        } else if limited > now {
            KeyState::Limited { until: wall.wall_of(timeline.time_of(limited)) }
        } else if self.is_busy() {
            KeyState::Busy
        } else if self.health.is_half_open(time) {
            KeyState::HalfOpen
        } else {
            KeyState::Available
        }
    }
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
