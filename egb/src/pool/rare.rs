//! What only some keys of a pool have: a past in the store, conditions of single scopes, counts of what went wrong, fetches
//! of auto-success mode. Most keys of a large pool have none of it, and hold a pointer in its place.

use std::time::Duration;

use super::condition::Scoped;
use crate::clock::Tick;
use crate::seldom::Blank;
use crate::store::Counters;

/// Of a key of which the store knows.
#[derive(Default, PartialEq)]
pub(super) struct Stored {
    /// On disk, by all processes, or handed to the writer.
    pub(super) counters: Counters,
    /// See [`SharedState::epoch`](crate::store::SharedState::epoch).
    pub(super) epoch: u64,
}

impl Blank for Stored {
    const BLANK: &'static Self = &Self { counters: NOTHING, epoch: 0 };
}

const NOTHING: Counters = Counters { calls: 0, begun: 0, successes: 0, failures: 0, throttled: 0 };

#[derive(Default)]
pub(super) struct Rare {
    /// For the calls of some scopes, beside the condition for all.
    pub(super) scoped: Vec<Scoped>,
    /// Not yet handed to the writer, beside the checkouts that [`Entry`](super::entry::Entry) counts.
    pub(super) pending: Counters,
    /// Of a key that was fetched in auto-success mode.
    pub(super) auto: Auto,
}

impl Blank for Rare {
    const BLANK: &'static Self =
        &Self { scoped: Vec::new(), pending: NOTHING, auto: Auto { open: 0, last_fetch: 0, unjudged: None } };
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
