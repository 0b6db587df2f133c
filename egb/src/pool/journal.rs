//! The pool's side of the writer: hands changes out, takes them back, takes over those of others.

use std::collections::hash_map::Entry as MapEntry;
use std::sync::atomic::Ordering;

use super::Pool;
use super::entry::Entry;
use crate::clock::Wall;
use crate::store::{Change, Counters, Journal, Record, SharedState};

/// Changes looked up under one hold of the lock.
const AT_ONCE: usize = 256;

impl Journal for Pool {
    fn drain(&self, batch: &mut Vec<Change>, max: usize) -> bool {
        let wall = self.timeline.wall();
        let mut state = self.state.lock();
        let state = &mut *state;
        let farewells = state.farewells.len().min(max);
        batch.extend(state.farewells.drain(..farewells));
        for _ in farewells..max {
            let Some(id) = state.dirty.pop() else { break };
            // The key may have been removed since, and its slot be another's.
            if let Some(entry) = &mut state.entries[id as usize]
                && entry.slot.dirty.load(Ordering::SeqCst)
            {
                batch.push(entry.take_change(wall));
            }
        }
        !state.dirty.is_empty() || !state.farewells.is_empty()
    }

    fn committed(&self, batch: &[Change]) {
        self.resolve(batch, |entry| {
            let written = std::mem::take(&mut entry.writing);
            entry.stored.add(&written);
        });
    }

    fn rejected(&self, batch: &[Change]) {
        self.resolve(batch, |entry| {
            let written = std::mem::take(&mut entry.writing);
            entry.pending.add(&written);
        });
        for chunk in batch.chunks(AT_ONCE) {
            let mut state = self.state.lock();
            for change in chunk {
                match state.index.get(&change.fingerprint).copied() {
                    Some(id) => drop(state.mark_dirty(id)),
                    None => state.farewells.push(change.clone()),
                }
            }
        }
    }

    fn merge(&self, records: &[Record]) {
        let wall = self.timeline.wall();
        let now = self.now();
        let time = self.timeline.time_of(now);
        let mut state = self.state.lock();
        for record in records {
            let Some(id) = state.index.get(&record.fingerprint).copied() else {
                match state.strangers.entry(record.fingerprint) {
                    MapEntry::Occupied(mut known) if known.get().state.epoch > record.state.epoch => {
                        known.get_mut().counters = record.counters;
                    }
                    known => drop(known.insert_entry(record.clone())),
                }
                continue;
            };
            let serial = state.serial;
            let entry = state.entry_mut(id);
            entry.stored = record.counters;
            let theirs = record.state.health.moved(|instant| wall.time_of_wall(instant)).restored(time);
            let mut health = entry.health.clone();
            if record.state.epoch > entry.epoch {
                entry.epoch = record.state.epoch;
                health = theirs;
                health.set_weight(entry.config.weight);
            } else if record.state.epoch == entry.epoch {
                health.disabled |= theirs.disabled;
                health.cooldown_until = health.cooldown_until.max(theirs.cooldown_until);
            }
            if health == entry.health {
                continue;
            }
            if health.cooldown_until > entry.health.cooldown_until {
                entry.cooling_since = serial;
            }
            let (was, is) = (entry.health.disabled, health.disabled);
            entry.set_health(health, &self.policy);
            state.disabled = state.disabled + usize::from(is) - usize::from(was);
            state.place(id, now, &self.timeline);
        }
    }
}

impl Pool {
    fn resolve(&self, batch: &[Change], outcome: impl Fn(&mut Entry)) {
        for chunk in batch.chunks(AT_ONCE) {
            let mut state = self.state.lock();
            for change in chunk {
                if let Some(id) = state.index.get(&change.fingerprint).copied() {
                    outcome(state.entry_mut(id));
                }
            }
        }
    }
}

impl Entry {
    /// Everything that happened since the last call, in the form to store.
    pub(super) fn take_change(&mut self, wall: Wall) -> Change {
        // In this order, so that a success counted meanwhile finds either its count or the mark gone.
        self.slot.dirty.store(false, Ordering::SeqCst);
        let mut added = std::mem::take(&mut self.pending);
        added.successes += self.slot.quiet_successes.swap(0, Ordering::SeqCst);
        self.writing.add(&added);
        Change {
            fingerprint: self.slot.key.fingerprint(),
            state: SharedState {
                health: self.health.moved(|instant| wall.wall_of(instant)),
                epoch: self.epoch,
                last_used: self.last_used(wall),
            },
            added,
        }
    }
}

impl Counters {
    pub(crate) fn add(&mut self, other: &Self) {
        // A damaged database may hold any number.
        self.calls = self.calls.saturating_add(other.calls);
        self.successes = self.successes.saturating_add(other.successes);
        self.failures = self.failures.saturating_add(other.failures);
        self.throttled = self.throttled.saturating_add(other.throttled);
    }
}
