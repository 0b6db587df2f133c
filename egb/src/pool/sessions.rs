//! Which key a session sticks to (`affinity`).

use lru::LruCache;

use super::lanes::ScopeId;
use crate::key::Fingerprint;
use crate::schedule::SlotId;

/// Sessions that are remembered; of more, those that were used least recently are forgotten.
const MAX_SESSIONS: usize = 65_536;

/// Sessions by scope and hash: what they are called is nobody's business here.
pub(super) struct Sessions(LruCache<(ScopeId, u64), Stuck>);

/// The slot, and whose it was: slots are used again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stuck {
    pub(super) id: SlotId,
    pub(super) fingerprint: Fingerprint,
}

impl Sessions {
    pub(super) fn new() -> Self {
        // Bounded by hand, for a bounded one takes all its memory at once.
        Self(LruCache::unbounded())
    }

    pub(super) fn get(&mut self, scope: ScopeId, session: u64) -> Option<Stuck> {
        self.0.get(&(scope, session)).copied()
    }

    pub(super) fn put(&mut self, scope: ScopeId, session: u64, stuck: Stuck) {
        self.0.put((scope, session), stuck);
        if self.0.len() > MAX_SESSIONS {
            self.0.pop_lru();
        }
    }
}
