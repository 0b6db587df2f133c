//! What operators do to the keys of a pool: reset, enable and disable them, look at them.

use super::lanes::NO_SCOPE;
use super::state::State;
use super::{Effect, Pool};
use crate::clock::Tick;
use crate::health::Health;
use crate::key::Fingerprint;
use crate::policy::Policy;
use crate::schedule::SlotId;
use crate::stats::Stats;

impl Pool {
    /// Gives every key its full share back, enabled and rested.
    pub(crate) fn reset(&self) -> Effect {
        let now = self.now();
        self.locked(|state| {
            let mut effect = Effect::default();
            let ids: Vec<SlotId> = state.slots().map(|slot| slot.id).collect();
            for id in ids {
                effect.wake |= self.intervene(state, id, now, Policy::reset).wake;
            }
            effect
        })
    }

    /// As [`reset`](Self::reset), of one key. `None` when it is not in the pool.
    #[cfg(feature = "cli")]
    pub(crate) fn reset_key(&self, fingerprint: Fingerprint) -> Option<Effect> {
        let now = self.now();
        self.locked(|state| {
            let id = state.find(&fingerprint)?;
            Some(self.intervene(state, id, now, Policy::reset))
        })
    }

    /// Puts a key back in use, or takes it out. `None` when it is not in the pool.
    pub(crate) fn set_enabled(&self, fingerprint: Fingerprint, enable: bool) -> Option<Effect> {
        let now = self.now();
        self.locked(|state| {
            let id = state.find(&fingerprint)?;
            Some(self.intervene(state, id, now, |_, health| {
                if enable { health.enabled() } else { Health { disabled: true, ..health.clone() } }
            }))
        })
    }

    fn intervene(
        &self,
        state: &mut State,
        id: SlotId,
        now: Tick,
        change: impl FnOnce(&Policy, &Health) -> Health,
    ) -> Effect {
        let serial = state.serial;
        let time = self.timeline.time_of(now);
        let entry = state.entry_mut(id);
        let before = entry.main().health.clone();
        let was_disabled = before.disabled;
        let next = change(&self.policy, &before);
        let is_disabled = next.disabled;
        entry.history.epoch += 1;
        entry.forget_fetches();
        // Calls that are still running began before the operator's word.
        entry.change_main(|main| main.set_by_hand(next, serial));
        entry.traits.set_changed(true);
        if !is_disabled {
            let full = entry.new_health();
            for scoped in entry.scoped_mut() {
                scoped.condition.set_by_hand(full.clone(), serial);
                scoped.dirty = self.home.journaled;
            }
            entry.forget_recovered(time);
        }
        entry.refresh_serene(&self.policy);
        state.disabled = state.disabled + usize::from(is_disabled) - usize::from(was_disabled);
        state.forget_failures(id);
        state.place(id, now, &self.timeline);
        state.tell_health(id, NO_SCOPE, &before, None, time);
        Effect {
            wake: self.home.journaled && state.mark_dirty(id),
            disabled: is_disabled && !was_disabled,
            last: false,
        }
    }

    /// A picture of all keys, in the order in which they were added. Each row is true in itself; calls
    /// go on between the rows, for the lock is never held for long.
    pub(crate) fn stats(&self) -> Stats {
        const ROWS_AT_ONCE: usize = 128;
        let wall = self.timeline.wall();
        let now = self.now();
        let mut keys = Vec::new();
        for start in (0..).step_by(ROWS_AT_ONCE) {
            let slots = self.locked(|state| {
                let rows = state.entries.iter().skip(start).take(ROWS_AT_ONCE).flatten();
                keys.extend(rows.map(|entry| (entry.position, entry.row(state, &self.timeline, wall, now))));
                state.entries.len()
            });
            if start + ROWS_AT_ONCE >= slots {
                break;
            }
        }
        // Slots are used again; the order of the keys is that in which they were given.
        keys.sort_by_key(|&(position, _)| position);
        let sessions = self.locked(|state| state.sessions.stats());
        Stats { keys: keys.into_iter().map(|(_, row)| row).collect(), sessions }
    }
}
