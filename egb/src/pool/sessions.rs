//! Which key a session sticks to (`affinity`).

use lru::LruCache;

use super::lanes::ScopeId;
use crate::key::Fingerprint;
use crate::schedule::SlotId;
use crate::stats::SessionStats;

/// Sessions that are remembered for each key, if nothing is said, and the bounds of that.
const PER_KEY: usize = 1_024;
const MOST: usize = 65_536;

/// Sessions by scope and hash: what they are called is nobody's business here. Of more than the capacity, those
/// that were used least recently are forgotten.
pub(super) struct Sessions {
    stuck: LruCache<(ScopeId, u64), Stuck>,
    /// As configured; else it goes by the number of keys.
    configured: Option<usize>,
    capacity: usize,
    hits: u64,
    moves: u64,
    misses: u64,
}

/// The slot, and whose it was: slots are used again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stuck {
    pub(super) id: SlotId,
    pub(super) fingerprint: Fingerprint,
}

/// How many sessions are remembered where there are so many keys.
pub(crate) fn capacity(configured: Option<usize>, keys: usize) -> usize {
    configured.unwrap_or_else(|| keys.saturating_mul(PER_KEY).min(MOST))
}

impl Sessions {
    pub(super) fn new(configured: Option<usize>) -> Self {
        // Bounded by hand, for a bounded one takes all its memory at once.
        let stuck = LruCache::unbounded();
        Self { stuck, configured, capacity: configured.unwrap_or_default(), hits: 0, moves: 0, misses: 0 }
    }

    /// There are so many keys now.
    pub(super) fn set_keys(&mut self, keys: usize) {
        self.capacity = capacity(self.configured, keys);
        self.forget_excess();
    }

    pub(super) fn get(&mut self, scope: ScopeId, session: u64) -> Option<Stuck> {
        self.stuck.get(&(scope, session)).copied()
    }

    /// The session got the key that it sticks to.
    pub(super) fn note_hit(&mut self) {
        self.hits += 1;
    }

    /// The session got this key, which is new to it, and stays there.
    pub(super) fn put(&mut self, scope: ScopeId, session: u64, stuck: Stuck) {
        match self.stuck.put((scope, session), stuck) {
            Some(_) => self.moves += 1,
            None => self.misses += 1,
        }
        self.forget_excess();
    }

    fn forget_excess(&mut self) {
        while self.stuck.len() > self.capacity {
            self.stuck.pop_lru();
        }
    }

    pub(super) fn stats(&self) -> SessionStats {
        SessionStats {
            remembered: self.stuck.len(),
            capacity: self.capacity,
            hits: self.hits,
            moves: self.moves,
            misses: self.misses,
        }
    }
}
