//! Keys that have nothing to do with other keys, as a pool would show them: they need not be in it, which is most of the
//! work. What a row says is `row.rs`'s business, here as there.

use std::sync::Arc;

use super::entry::{Entry, Remains};
use super::lanes::NO_SCOPE;
use super::slot::Slot;
use super::{Pool, Settings};
use crate::clock::{Tick, Timeline, Wall};
use crate::config::KeyConfig;
use crate::stats::KeyStats;
use crate::store::{Record, Usage};

/// Shows keys as they are at the moment at which it was made.
pub(crate) struct Alone {
    /// Without a key.
    pool: Arc<Pool>,
    wall: Wall,
    now: Tick,
}

impl Alone {
    pub(crate) fn new(settings: Settings, timeline: Timeline) -> Self {
        let (wall, now) = (timeline.wall(), timeline.now());
        Self { pool: Pool::new(Vec::new(), Vec::new(), settings, timeline, false), wall, now }
    }

    /// The row of a key of which this is known; `None` if others have a say in it: those of its group, or those from which
    /// the pool hears of scopes, of which it has a limited number.
    pub(crate) fn row(&self, config: &KeyConfig, known: &[Record], used: &[Usage]) -> Option<KeyStats> {
        let in_scope =
            known.iter().any(|record| record.scope.is_some()) || used.iter().any(|used| used.scope.is_some());
        if in_scope || config.group_name().is_some() {
            return None;
        }
        let Self { pool, wall, now } = self;
        let state = pool.state.lock();
        let ties = state.groups.ties(None, &state.quotas, &pool.alone);
        let slot = Slot::new(0, config.key.clone(), ties);
        let mut entry = Entry::new(slot, 0, config.clone(), None, Remains::default());
        if let Some(record) = known.first() {
            entry.restore(record, &pool.policy, *wall, pool.timeline.time_of(*now));
        }
        let allowance = state.quotas.allowance(config.limits());
        for used in used {
            entry.budget.remember(allowance, NO_SCOPE, &pool.memory_of(used.clone(), *wall, *now));
        }
        Some(entry.row(&state, &pool.timeline, *wall, *now))
    }
}
