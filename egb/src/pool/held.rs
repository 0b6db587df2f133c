//! What a running call holds on to: the part of a key's state that outlives its place in the pool.

use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32};

use crate::key::Key;
use crate::schedule::SlotId;

/// One key of the pool.
pub(crate) struct Slot {
    pub(crate) id: SlotId,
    pub(crate) key: Key,
    /// Set in the slot that stands for several keys of one call, and in no other.
    company: Option<Box<Company>>,
    /// A success changes nothing but the count: it needs no lock.
    pub(super) serene: AtomicBool,
    pub(super) dirty: AtomicBool,
    pub(super) in_flight: AtomicU32,
    /// Successes that were counted without the lock and not yet collected.
    pub(super) quiet_successes: AtomicI64,
}

struct Company {
    keys: Vec<Key>,
    slots: Vec<Arc<Slot>>,
}

impl Slot {
    pub(super) fn new(id: SlotId, key: Key) -> Self {
        Self {
            id,
            key,
            company: None,
            serene: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            quiet_successes: AtomicI64::new(0),
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
            _ => {
                let keys: Vec<Key> = slots.iter().map(|slot| slot.key.clone()).collect();
                let first = slots[0].key.clone();
                let company = Some(Box::new(Company { keys, slots }));
                Self(Arc::new(Slot { company, ..Slot::new(SlotId::MAX, first) }))
            }
        }
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
