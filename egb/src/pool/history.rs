//! What only some keys of a pool have, in two steps: what most keys of a database have, or of a pool in which many calls
//! fail; and what few keys have. One to which nothing happened but quiet calls holds a pointer in its place.

use std::time::Duration;

use super::condition::{Condition, Scoped};
use super::slot::SharedSlot;
use crate::clock::Tick;
use crate::seldom::{Blank, Seldom};
use crate::store::Counters;

/// What happened to a key.
#[derive(Default)]
pub(super) struct History {
    /// On disk, by all processes, or handed to the writer.
    pub(super) stored: Counters,
    /// See [`SharedState::epoch`](crate::store::SharedState::epoch).
    pub(super) epoch: u64,
    /// The condition for all calls, if it is anything but that of a new key.
    pub(super) main: Option<Box<Condition>>,
    pub(super) notes: Seldom<Notes>,
    /// The calls of the slot that are counted elsewhere by now: up to this number of them.
    pub(super) counted: u32,
}

impl Blank for History {
    const BLANK: &'static Self = &Self { stored: NOTHING, epoch: 0, main: None, notes: Seldom::BLANK, counted: 0 };
}

const NOTHING: Counters = Counters { calls: 0, begun: 0, successes: 0, failures: 0, throttled: 0 };

#[derive(Default)]
pub(super) struct Notes {
    /// For the calls of some scopes, beside the condition for all.
    pub(super) scoped: Vec<Scoped>,
    /// Not yet handed to the writer, beside what the slot counts.
    pub(super) pending: Counters,
    /// Of a key that was fetched in auto-success mode.
    pub(super) auto: Auto,
    /// Those that the key had before it was removed and put back, or changed its group, and that calls still hold.
    pub(super) earlier: Vec<SharedSlot>,
}

impl Blank for Notes {
    const BLANK: &'static Self = &Self {
        scoped: Vec::new(),
        pending: NOTHING,
        auto: Auto { open: 0, last_fetch: 0, unjudged: None },
        earlier: Vec::new(),
    };
}

/// An unreported fetch counts as a success once so much time has passed without a report of a failure: a
/// call takes a while to fail, and others fetch the key meanwhile.
const IMPLIED_AFTER: Duration = Duration::from_secs(10);

/// Keys fetched in auto-success mode and not reported since.
#[derive(Default)]
pub(super) struct Auto {
    open: u32,
    last_fetch: u64,
    /// The first fetch of which nothing was heard since.
    unjudged: Option<Unjudged>,
}

#[derive(Clone, Copy)]
struct Unjudged {
    serial: u64,
    at: Tick,
}

impl Auto {
    pub(super) fn fetched(&mut self, serial: u64, now: Tick) {
        self.open = self.open.saturating_add(1);
        self.last_fetch = serial;
        self.unjudged.get_or_insert(Unjudged { serial, at: now });
    }

    /// A fetch is reported. Returns the last one, if any is open.
    pub(super) fn reported(&mut self) -> Option<u64> {
        self.open = self.open.checked_sub(1)?;
        Some(self.last_fetch)
    }

    /// The fetch whose success is implied by now, if there is one since the key's present cooldown began.
    pub(super) fn implied(&mut self, cooling_since: u64, now: Tick) -> Option<u64> {
        let Unjudged { serial, at } = self.unjudged?;
        if serial <= cooling_since {
            // It says nothing of the key since.
            self.unjudged = None;
            return None;
        }
        if now < at.plus(IMPLIED_AFTER) {
            return None;
        }
        self.unjudged = None;
        Some(serial)
    }

    /// No success is implied by the fetches so far.
    pub(super) fn forget(&mut self) {
        self.unjudged = None;
    }
}
