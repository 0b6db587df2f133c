//! What a running call holds on to: one key or several, and what the call has tried before.

use std::fmt;
use std::slice;

use smallvec::SmallVec;

use super::Home;
use super::slot::{SharedSlot, Slot};
use crate::key::Key;
use crate::schedule::SlotId;

/// What a call has of each of its keys; that of up to eight takes no allocation of its own.
pub(super) type Several<T> = SmallVec<[T; 8]>;

/// Several keys, or those of another attempt.
pub(super) struct Company {
    keys: Several<Key>,
    slots: Several<SharedSlot>,
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

/// The keys of one call. One pointer, because it is part of every balanced future; cheap to clone.
#[derive(Clone)]
pub(crate) struct Held(SharedSlot);

impl Held {
    #[inline]
    pub(super) fn one(slot: SharedSlot) -> Self {
        Self(slot)
    }

    /// At least one.
    pub(super) fn many(slots: Several<SharedSlot>) -> Self {
        match &slots[..] {
            [one] => Self(SharedSlot::clone(one)),
            _ => Self::in_company(slots, Tried::default()),
        }
    }

    fn in_company(slots: Several<SharedSlot>, tried: Tried) -> Self {
        let keys = slots.iter().map(|slot| slot.key.clone()).collect();
        let first = SharedSlot::clone(&slots[0]);
        Self(SharedSlot::new(Slot::standing_for(&first, Company { keys, slots, tried })))
    }

    /// The same keys, for another attempt of a call.
    pub(crate) fn after(&self, tried: Tried) -> Self {
        Self::in_company(self.slots().into(), tried)
    }

    /// What the call has tried before, and with these keys.
    pub(crate) fn tried(&self) -> Tried {
        let mut tried = self.company().map(|company| company.tried.clone()).unwrap_or_default();
        tried.attempts = tried.attempts.saturating_add(1);
        tried.keys.extend(self.slots().iter().map(|slot| slot.id));
        tried
    }

    /// Whether the server failed another attempt of the call in this way.
    pub(crate) fn has_met(&self, status: u16) -> bool {
        self.company().is_some_and(|company| company.tried.server_errors.contains(&status))
    }

    pub(crate) fn keys(&self) -> &[Key] {
        self.company().map_or(slice::from_ref(&self.0.key), |company| &company.keys)
    }

    /// The only key, or the first.
    pub(crate) fn key(&self) -> &Key {
        &self.0.key
    }

    /// The slot of the only key.
    #[inline]
    pub(crate) fn lone(&self) -> Option<&SharedSlot> {
        self.company().is_none().then_some(&self.0)
    }

    pub(crate) fn slots(&self) -> &[SharedSlot] {
        self.company().map_or(slice::from_ref(&self.0), |company| &company.slots)
    }

    /// Where the keys are from.
    #[inline]
    pub(crate) fn home(&self) -> &Home {
        self.0.home()
    }

    #[inline]
    fn company(&self) -> Option<&Company> {
        self.0.company()
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.keys()).finish()
    }
}
