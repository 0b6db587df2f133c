//! What a running call holds on to: the part of a key's state that outlives its place in the pool.

use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::fmt;
use std::slice;
use std::sync::Arc;

use super::lanes::ScopeId;
use super::quota::Gauge;
use crate::key::Key;
use crate::schedule::SlotId;

/// One key of the pool.
pub(crate) struct Slot {
    pub(crate) id: SlotId,
    pub(crate) key: Key,
    /// Set in a slot that is not a key's own: it stands for several, or for those of another attempt.
    company: Option<Box<Company>>,
    /// A success changes nothing but the count: it needs no lock.
    pub(super) serene: AtomicBool,
    pub(super) dirty: AtomicBool,
    /// The key was removed: what ends now is to be booked elsewhere.
    pub(super) departed: AtomicBool,
    pub(super) in_flight: AtomicU32,
    /// Where running calls are counted beside that.
    pub(super) gauge: Option<Arc<Gauge>>,
    /// Successes that were counted without the lock and not yet collected.
    pub(super) quiet_successes: AtomicU32,
}

struct Company {
    keys: Vec<Key>,
    slots: Vec<Arc<Slot>>,
    tried: Tried,
}

/// What the same call has tried before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tried {
    pub(crate) attempts: u32,
    pub(crate) keys: Vec<SlotId>,
    /// The statuses with which the server failed them.
    pub(crate) server_errors: Vec<u16>,
}

impl Slot {
    pub(super) fn new(id: SlotId, key: Key, gauge: Option<Arc<Gauge>>) -> Self {
        Self {
            id,
            key,
            company: None,
            serene: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
            departed: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            gauge,
            quiet_successes: AtomicU32::new(0),
        }
    }

    /// A call begins to hold it.
    pub(super) fn begin(&self, scope: ScopeId) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        if let Some(gauge) = &self.gauge {
            gauge.begin(scope);
        }
    }

    /// A call holds it no longer.
    pub(super) fn end(&self, scope: ScopeId) {
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        if let Some(gauge) = &self.gauge {
            gauge.end(scope);
        }
    }
}

/// The keys of one call. One pointer, because it is part of every balanced future; cheap to clone.
#[derive(Clone)]
pub(crate) struct Held(Arc<Slot>);

impl Held {
    pub(super) fn one(slot: Arc<Slot>) -> Self {
        Self(slot)
    }

    /// At least one.
    pub(super) fn many(slots: Vec<Arc<Slot>>) -> Self {
        match &slots[..] {
            [one] => Self(Arc::clone(one)),
            _ => Self::company(slots, Tried::default()),
        }
    }

    fn company(slots: Vec<Arc<Slot>>, tried: Tried) -> Self {
        let keys: Vec<Key> = slots.iter().map(|slot| slot.key.clone()).collect();
        let first = slots[0].key.clone();
        let company = Some(Box::new(Company { keys, slots, tried }));
        Self(Arc::new(Slot { company, ..Slot::new(SlotId::MAX, first, None) }))
    }

    /// The same keys, for another attempt of a call.
    pub(crate) fn after(&self, tried: Tried) -> Self {
        Self::company(self.slots().to_vec(), tried)
    }

    /// What the call has tried before, and with these keys.
    pub(crate) fn tried(&self) -> Tried {
        let mut tried = self.0.company.as_ref().map(|company| company.tried.clone()).unwrap_or_default();
        tried.attempts = tried.attempts.saturating_add(1);
        tried.keys.extend(self.slots().iter().map(|slot| slot.id));
        tried
    }

    /// Whether the server failed another attempt of the call in this way.
    pub(crate) fn has_met(&self, status: u16) -> bool {
        self.0.company.as_ref().is_some_and(|company| company.tried.server_errors.contains(&status))
    }

    pub(crate) fn keys(&self) -> &[Key] {
        match &self.0.company {
            None => slice::from_ref(&self.0.key),
            Some(company) => &company.keys,
        }
    }

    /// The only key, or the first.
    pub(crate) fn key(&self) -> &Key {
        &self.0.key
    }

    pub(crate) fn slots(&self) -> &[Arc<Slot>] {
        match &self.0.company {
            None => slice::from_ref(&self.0),
            Some(company) => &company.slots,
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.keys()).finish()
    }
}
