//! What a running call holds on to: one key or several, and what the call has tried before.

use std::fmt;
use std::slice;
use std::sync::Arc;

use super::Home;
use super::slot::Slot;
use crate::key::Key;
use crate::schedule::SlotId;

/// What the same call has tried before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tried {
    pub(crate) attempts: u32,
    pub(crate) keys: Vec<SlotId>,
    /// The statuses with which the server failed them.
    pub(crate) server_errors: Vec<u16>,
}

/// The keys of one call. Small, because it is part of every balanced future; cheap to clone.
#[derive(Clone)]
pub(crate) enum Held {
    One(Arc<Slot>),
    Several(Arc<Several>),
}

/// Several keys, or those of another attempt. At least one.
pub(crate) struct Several {
    keys: Vec<Key>,
    slots: Vec<Arc<Slot>>,
    tried: Tried,
}

impl Held {
    /// At least one.
    pub(super) fn many(slots: Vec<Arc<Slot>>) -> Self {
        match &slots[..] {
            [one] => Self::One(Arc::clone(one)),
            _ => Self::several(slots, Tried::default()),
        }
    }

    fn several(slots: Vec<Arc<Slot>>, tried: Tried) -> Self {
        let keys = slots.iter().map(|slot| slot.key.clone()).collect();
        Self::Several(Arc::new(Several { keys, slots, tried }))
    }

    /// The same keys, for another attempt of a call.
    pub(crate) fn after(&self, tried: Tried) -> Self {
        Self::several(self.slots().to_vec(), tried)
    }

    /// What the call has tried before, and with these keys.
    pub(crate) fn tried(&self) -> Tried {
        let mut tried = match self {
            Self::One(_) => Tried::default(),
            Self::Several(several) => several.tried.clone(),
        };
        tried.attempts = tried.attempts.saturating_add(1);
        tried.keys.extend(self.slots().iter().map(|slot| slot.id));
        tried
    }

    /// Whether the server failed another attempt of the call in this way.
    pub(crate) fn has_met(&self, status: u16) -> bool {
        match self {
            Self::One(_) => false,
            Self::Several(several) => several.tried.server_errors.contains(&status),
        }
    }

    pub(crate) fn keys(&self) -> &[Key] {
        match self {
            Self::One(slot) => slice::from_ref(&slot.key),
            Self::Several(several) => &several.keys,
        }
    }

    /// The only key, or the first.
    pub(crate) fn key(&self) -> &Key {
        match self {
            Self::One(slot) => &slot.key,
            Self::Several(several) => &several.keys[0],
        }
    }

    pub(crate) fn slots(&self) -> &[Arc<Slot>] {
        match self {
            Self::One(slot) => slice::from_ref(slot),
            Self::Several(several) => &several.slots,
        }
    }

    /// Where the keys are from.
    pub(crate) fn home(&self) -> &Home {
        match self {
            Self::One(slot) => slot.home(),
            Self::Several(several) => several.slots[0].home(),
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.keys()).finish()
    }
}
