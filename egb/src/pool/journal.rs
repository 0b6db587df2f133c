//! The pool's side of the writer: hands changes out, takes them back, takes over those of others.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Pool;
use super::condition::{Condition, taken_over};
use super::entry::Entry;
use super::lanes::{Lane, NO_SCOPE, ScopeId};
use super::state::{OCCUPIED, State};
use crate::clock::{Tick, Wall};
use crate::config::KeyConfig;
use crate::health::{Health, LastFailure};
use crate::key::Fingerprint;
use crate::limits::{Day, Group, Memory, Spent};
use crate::schedule::SlotId;
use crate::store::{Change, Counters, Journal, Record, SharedState, SpentTokens, Usage};

/// Changes looked up under one hold of the lock.
const AT_ONCE: usize = 256;

impl Journal for Pool {
    fn drain(&self, batch: &mut Vec<Change>, max: usize) -> bool {
        let wall = self.timeline.wall();
        let time = self.timeline.time_of(self.now());
        self.locked(|state| {
            let farewells = state.farewells.len().min(max);
            batch.extend(state.farewells.drain(..farewells));
            for _ in farewells..max {
                let Some(id) = state.dirty.pop() else { break };
                // The key may have been removed since, and its slot be another's.
                let Some(entry) = state.entries[id as usize].as_ref() else { continue };
                if entry.slot.is_dirty() {
                    let usage = self.usage(state, entry, wall);
                    let entry = state.entries[id as usize].as_mut().expect(OCCUPIED);
                    entry.take_changes(&state.lanes, wall, usage, batch);
                    entry.forget_recovered(time);
                    entry.refresh_serene(&self.policy);
                }
            }
            !state.dirty.is_empty() || !state.farewells.is_empty()
        })
    }

    /// What was handed over is counted as stored already.
    fn committed(&self, _: &[Change]) {}

    fn rejected(&self, batch: &[Change]) {
        for chunk in batch.chunks(AT_ONCE) {
            self.locked(|state| {
                for change in chunk {
                    match state.find(&change.fingerprint) {
                        Some(id) if !change.is_farewell => {
                            let entry = state.entry_mut(id);
                            if change.added != Counters::default() {
                                entry.history.stored.add(&change.added.negated());
                                entry.history.notes.pending.add(&change.added);
                            }
                            if change.is_news && change.scope.is_none() {
                                entry.traits.set_changed(true);
                            }
                            self.keep_scope(state, id, change);
                            state.mark_dirty(id);
                        }
                        _ => state.farewells.push(change.clone()),
                    }
                }
            });
        }
    }

    fn rewrite(&self) {
        for first in (0..).step_by(AT_ONCE) {
            let slots = self.locked(|state| {
                for slot in first..state.entries.len().min(first + AT_ONCE) {
                    let Some(entry) = state.entries[slot].as_mut() else { continue };
                    entry.traits.set_changed(true);
                    entry.scoped_mut().iter_mut().for_each(|scoped| scoped.dirty = true);
                    let id = entry.slot.id;
                    state.mark_dirty(id);
                }
                state.entries.len()
            });
            if first + AT_ONCE >= slots {
                return;
            }
        }
    }

    fn set_added(&self, configs: Vec<KeyConfig>) {
        Self::set_added(self, configs);
    }

    fn merge(&self, records: &[Record]) {
        let wall = self.timeline.wall();
        let now = self.now();
        self.locked(|state| {
            for record in records {
                let id = state.find(&record.fingerprint);
                match (id, &record.scope) {
                    (None, _) => remember(state, record),
                    (Some(id), None) => self.merge_main(state, id, record, wall, now),
                    (Some(id), Some(scope)) => self.merge_scope(state, id, scope, record, wall, now),
                }
            }
        });
    }
}

/// Keeps what others know of a key that is not in the pool.
fn remember(state: &mut State, record: &Record) {
    let known = state.strangers.entry(record.fingerprint).or_default();
    match known.iter_mut().find(|known| known.scope == record.scope) {
        Some(known) if known.state.epoch > record.state.epoch => known.counters = record.counters,
        Some(known) => *known = record.clone(),
        None => known.push(record.clone()),
    }
}

impl Pool {
    fn merge_main(&self, state: &mut State, id: SlotId, record: &Record, wall: Wall, now: Tick) {
        let (serial, time) = (state.serial, self.timeline.time_of(now));
        self.merge_uses(state, id, record.counters.calls, now);
        let entry = state.entry_mut(id);
        entry.set_stored(record.counters);
        let raw = record.state.health.cooldown_until;
        let theirs = taken_over(record, entry.terms.weight, &self.policy, wall, time);
        let before = entry.main().health.clone();
        let was_disabled = before.disabled;
        let is_changed = entry.traits.is_changed();
        let epoch = entry.history.epoch;
        // Who uses no key has no view of its own.
        let is_followed = self.is_bystander && record.state.epoch == epoch && !is_changed;
        if self.is_bystander {
            entry.saw_use(record);
        }
        if record.state.epoch > epoch || is_followed {
            entry.set_epoch(record.state.epoch);
            let mut health = theirs;
            if is_changed {
                // What happened here and is not stored yet may have come after their word: it is not undone.
                health.disabled |= before.disabled;
                health.cooldown_until = health.cooldown_until.max(before.cooldown_until);
                health.past.note(before.past.last_failure);
            }
            entry.change_main(|main| {
                if health.cooldown_until > before.cooldown_until {
                    main.rest.cooling_since = serial;
                }
                // The store has it.
                main.set_health(health);
                if raw != main.rest.stored_until {
                    main.rest.stored_until = raw;
                }
            });
            if !is_followed {
                // They were reset with it; what was not is on its way.
                if let Some(notes) = entry.notes_mut() {
                    notes.scoped.clear();
                }
            }
        } else if record.state.epoch == epoch {
            entry.change_main(|main| {
                main.join_cooldown(raw, &theirs, serial);
                main.health.disabled |= theirs.disabled;
                let at = |failure: Option<LastFailure>| failure.map(|failure| failure.at);
                if at(theirs.past.last_failure) > at(main.health.past.last_failure) {
                    main.health.past.note(theirs.past.last_failure);
                }
            });
        }
        entry.refresh_serene(&self.policy);
        let is_disabled = entry.main().health.disabled;
        state.disabled = state.disabled + usize::from(is_disabled) - usize::from(was_disabled);
        if record.state.epoch > epoch {
            state.forget_failures(id);
        }
        state.place(id, now, &self.timeline);
        state.tell_health(id, NO_SCOPE, &before, None, time);
    }

    /// Calls that other processes made count against the limits for all calls.
    fn merge_uses(&self, state: &mut State, id: SlotId, calls: i64, now: Tick) {
        // What this process wrote is in `stored` already, and nothing of it is on its way while others are read.
        let uses = u32::try_from(calls.saturating_sub(state.entry(id).history.stored.calls)).unwrap_or(0);
        if uses > 0 {
            let day_end = || self.timeline.next_midnight(now);
            state.with_budget(id, |budget, allowance| budget.take_others(allowance, uses, now, day_end));
            state.place_sharing(id, now, &self.timeline);
        }
    }

    /// What was used of the limits of a key or its group, in the form to store.
    pub(super) fn usage(&self, state: &State, entry: &Entry, wall: Wall) -> Vec<Usage> {
        if self.is_bystander {
            return Vec::new();
        }
        let holder = state.groups.holder(entry);
        let wall_of = |tick| wall.wall_of(self.timeline.time_of(tick));
        let memories = state.groups.quota(entry).budget.memories(self.now());
        let kept = memories.into_iter().filter(|(_, memory)| !memory.is_empty());
        kept.map(|(scope, Memory { groups, day, learned, tokens })| Usage {
            holder,
            scope: (scope != NO_SCOPE).then(|| Arc::clone(&state.lane(scope).name)),
            uses: groups.into_iter().map(|group| (wall_of(group.at), group.uses)).collect(),
            day: day.map(|day| (wall_of(day.end), day.used)),
            learned,
            tokens: tokens.map(|Spent { average, calls }| SpentTokens {
                average,
                calls: calls.into_iter().map(|(at, tokens)| (wall_of(at), tokens)).collect(),
            }),
        })
        .collect()
    }

    /// A key that enters the pool, or its group, goes on with what was used before. In a new group that is what its keys used on
    /// their own, before whoever set up the pool said that they belong together.
    pub(super) fn reclaim_usage(&self, state: &mut State, id: SlotId, is_group_new: bool, now: Tick) {
        let holder = state.groups.holder(state.entry(id));
        for (scope, memory) in self.claim(state, holder, now) {
            state.with_budget(id, |budget, allowance| budget.remember(allowance, scope, &memory));
        }
        if is_group_new {
            let key = state.entry(id).slot.key.fingerprint();
            for (scope, memory) in self.claim(state, key, now) {
                state.with_budget(id, |budget, allowance| budget.add(allowance, scope, &memory));
            }
        }
    }

    /// What a store knows of what was used by this name.
    fn claim(&self, state: &mut State, holder: Fingerprint, now: Tick) -> Vec<(ScopeId, Memory)> {
        let wall = self.timeline.wall();
        let known = state.unclaimed.remove(&holder).unwrap_or_default().into_iter();
        known
            .filter_map(|usage| {
                let scope = usage.scope.as_ref().map_or(Some(NO_SCOPE), |name| self.add_scope(state, name))?;
                Some((scope, self.memory_of(usage, wall, now)))
            })
            .collect()
    }

    /// What was used, by this process's clock.
    pub(super) fn memory_of(&self, usage: Usage, wall: Wall, now: Tick) -> Memory {
        // A clock that was ahead must not block the key for longer than the limits do.
        let tick_of = |time| self.timeline.tick_of(wall.time_of_wall(time));
        let group = |(at, uses)| Group { at: tick_of(at).min(now), uses, serial: 0 };
        let day = |(end, used)| Day { end: tick_of(end).min(self.timeline.next_midnight(now)), used };
        Memory {
            groups: usage.uses.into_iter().map(group).collect(),
            day: usage.day.map(day),
            learned: usage.learned,
            tokens: usage.tokens.map(|SpentTokens { average, calls }| Spent {
                average,
                calls: calls.into_iter().map(|(at, tokens)| (tick_of(at).min(now), tokens)).collect(),
            }),
        }
    }

    fn merge_scope(&self, state: &mut State, id: SlotId, name: &str, record: &Record, wall: Wall, now: Tick) {
        let (serial, time) = (state.serial, self.timeline.time_of(now));
        let theirs = taken_over(record, state.entry(id).terms.weight, &self.policy, wall, time);
        if record.state.epoch < state.entry(id).history.epoch || theirs.is_full(time) {
            return;
        }
        let Some(scope) = self.add_scope(state, name) else { return };
        let entry = state.entry_mut(id);
        let is_new = entry.within(scope).is_none();
        let condition = &mut entry.within_or_new(scope).condition;
        condition.join_cooldown(record.state.health.cooldown_until, &theirs, serial);
        if is_new {
            condition.health = Health { cooldown_until: condition.health.cooldown_until, ..theirs };
        }
        entry.refresh_serene(&self.policy);
        state.place(id, now, &self.timeline);
    }

    /// A scope's condition that could not be written is to be written again, even if it is forgotten here.
    fn keep_scope(&self, state: &mut State, id: SlotId, change: &Change) {
        let Some(scope) = change.scope.as_ref().and_then(|name| self.add_scope(state, name)) else { return };
        let entry = state.entry_mut(id);
        if entry.history.epoch == change.state.epoch {
            entry.within_or_new(scope).dirty = true;
            entry.refresh_serene(&self.policy);
        }
    }
}

impl Entry {
    /// Everything that happened since the last call, in the form to store.
    pub(super) fn take_changes(&mut self, lanes: &[Lane], wall: Wall, usage: Vec<Usage>, changes: &mut Vec<Change>) {
        let mut added = self.take_pending();
        added.successes += self.slot.take_successes();
        if added != Counters::default() {
            self.history.stored.add(&added);
        }
        self.heal_store(wall);
        let (fingerprint, epoch, last_used) =
            (self.slot.key.fingerprint(), self.history.epoch, self.last_use.time(wall));
        let change = |condition: &mut Condition, scope, is_news, added| {
            let health = condition.health.moved(|instant| wall.wall_of(instant));
            if is_news {
                condition.rest.note_stored(health.cooldown_until);
            }
            Change {
                fingerprint,
                scope,
                state: SharedState { health, epoch, last_used },
                added,
                is_news,
                is_farewell: false,
                usage: Vec::new(),
            }
        };
        let is_news = self.traits.is_changed();
        self.traits.set_changed(false);
        let main = self.change_main(|main| change(main, None, is_news, added));
        changes.push(Change { usage, ..main });
        for scoped in self.scoped_mut().iter_mut().filter(|scoped| scoped.dirty) {
            scoped.dirty = false;
            let name = Some(Arc::clone(&lanes[scoped.scope as usize].name));
            changes.push(change(&mut scoped.condition, name, true, Counters::default()));
        }
    }
}

impl Entry {
    /// A cooldown that the store has and that is over here was stored by a clock that was ahead. As the later
    /// cooldown of two is kept, only a new epoch takes it away.
    fn heal_store(&mut self, wall: Wall) {
        let (health, stored_until) = (&self.main().health, self.main().rest.stored_until);
        let ours = health.cooldown_until.map(|until| wall.wall_of(until));
        let present = wall.now();
        let is_beyond = |until: SystemTime| until > present && ours.is_none_or(|ours| until > ours + SLACK);
        if stored_until.is_some_and(is_beyond) {
            self.history.epoch += 1;
            self.traits.set_changed(true);
            self.change_main(|main| main.rest.stored_until = ours);
            for scoped in self.scoped_mut() {
                scoped.dirty = true;
            }
        }
    }
}

/// Instants are stored in microseconds, and the wall clock is corrected by small steps all the time.
const SLACK: Duration = Duration::from_secs(1);

impl Counters {
    fn negated(self) -> Self {
        let Self { calls, begun, successes, failures, throttled } = self;
        Self { calls: -calls, begun: -begun, successes: -successes, failures: -failures, throttled: -throttled }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        // A damaged database may hold any number.
        self.calls = self.calls.saturating_add(other.calls);
        self.begun = self.begun.saturating_add(other.begun);
        self.successes = self.successes.saturating_add(other.successes);
        self.failures = self.failures.saturating_add(other.failures);
        self.throttled = self.throttled.saturating_add(other.throttled);
    }
}
