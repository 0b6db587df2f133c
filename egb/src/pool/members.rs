//! Which keys are in a pool: reloads, and keys that are added, removed, or get other settings.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use super::added::Origin;
use super::condition::{Condition, Scoped, taken_over};
use super::entry::Entry;
use super::lanes::NO_SCOPE;
use super::quota::GroupId;
use super::slot::Slot;
use super::state::State;
use super::{Pool, Untold};
use crate::clock::{Tick, Wall};
use crate::config::KeyConfig;
use crate::events::EventKind;
#[cfg(feature = "cli")]
use crate::key::Key;
use crate::key::{ByFingerprint, Fingerprint};
use crate::schedule::SlotId;
use crate::seldom::Seldom;
use crate::store::{Change, Counters, Edit, Record};

/// What a reload changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// Keys that were not in the pool before.
    pub added: usize,
    /// Keys that are no longer in the sources.
    pub removed: usize,
    /// Keys whose weight, label, group or limits changed.
    pub changed: usize,
    /// Keys that stayed as they were.
    pub unchanged: usize,
}

impl Pool {
    /// Brings the pool to `configs` (distinct keys) and those that were added by hand. Keys that stay keep their
    /// health; one that comes back after it was removed is enabled.
    pub(crate) fn reload(&self, configs: Vec<KeyConfig>) -> (Reloaded, Untold<'_>) {
        let wanted: HashSet<Fingerprint> = configs.iter().map(|config| config.key.fingerprint()).collect();
        self.locked_untold(|state| {
            let configs = state.added.beside(configs);
            let is_gone = |known: &Fingerprint| !wanted.contains(known) && !state.added.is_alone(known);
            let gone = state.slots().filter(|slot| is_gone(&slot.key.fingerprint())).map(|slot| slot.id).collect();
            self.bring(state, gone, (0..).zip(configs))
        })
    }

    /// Brings the keys that were added by hand to `configs`; those that a source gives stay as it gives them.
    pub(crate) fn set_added(&self, configs: Vec<KeyConfig>) {
        self.locked(|state| self.replace_added(state, configs));
    }

    /// As `set_added`, where no store holds the keys.
    pub(crate) fn edit_added(&self, edit: &Edit) {
        self.locked(|state| {
            let configs = state.added.edited(edit);
            self.replace_added(state, configs);
        });
    }

    fn replace_added(&self, state: &mut State, configs: Vec<KeyConfig>) {
        let known = state.slots().map(|slot| slot.key.fingerprint());
        let given: HashSet<Fingerprint> = known.filter(|known| !state.added.is_alone(known)).collect();
        let before = state.added.replace(configs, &given);
        let is_gone = |known: &Fingerprint| !state.added.is_alone(known);
        let gone = before.iter().filter(|known| is_gone(known));
        let gone = gone.filter_map(|known| state.find(known)).collect();
        let configs = state.added.alone();
        // After all that the sources give.
        let positions = u32::MAX / 2..;
        self.bring(state, gone, positions.zip(configs));
    }

    /// Where the key of that name comes from.
    pub(crate) fn origin(&self, fingerprint: Fingerprint) -> Option<Origin> {
        self.locked(|state| {
            state.find(&fingerprint)?;
            Some(if state.added.is_alone(&fingerprint) { Origin::Added } else { Origin::Given })
        })
    }

    /// The key of that name.
    #[cfg(feature = "cli")]
    pub(crate) fn key(&self, fingerprint: Fingerprint) -> Option<Key> {
        self.locked(|state| state.find(&fingerprint).map(|id| state.entry(id).slot.key.clone()))
    }

    /// Removes the keys of some slots, and adds keys or gives them other settings.
    fn bring(&self, state: &mut State, gone: Vec<SlotId>, configs: impl Iterator<Item = (u32, KeyConfig)>) -> Reloaded {
        let now = self.now();
        let mut reloaded = Reloaded { removed: gone.len(), ..Reloaded::default() };
        state.remains.retain(|_, remains| remains.matter(now));
        for id in gone {
            state.tell(id, NO_SCOPE, EventKind::Removed);
            self.remove(state, id);
        }
        let (mut positions, mut added) = (Vec::new(), Vec::new());
        for (position, config) in configs {
            let known = state.find(&config.key.fingerprint());
            if let Some(id) = known {
                state.entry_mut(id).position = position;
            }
            match known {
                None => {
                    positions.push(position);
                    added.push(config);
                }
                Some(id) if state.entry(id).is_configured_as(&config) => reloaded.unchanged += 1,
                Some(id) => {
                    self.reconfigure(state, id, config, now);
                    reloaded.changed += 1;
                }
            }
        }
        reloaded.added = added.len();
        for id in self.add(state, added, positions, &[]) {
            state.tell(id, NO_SCOPE, EventKind::Added);
            // A key that came back is enabled again: the store has to know.
            if self.home.journaled {
                state.mark_dirty(id);
            }
        }
        reloaded
    }

    /// Adds keys that are not in the pool, with what the store knows of them: `stored`, sorted by fingerprint, or what
    /// was kept of strangers. Returns their slots.
    pub(super) fn add(
        &self,
        state: &mut State,
        configs: Vec<KeyConfig>,
        positions: impl IntoIterator<Item = u32>,
        stored: &[Record],
    ) -> Vec<SlotId> {
        let now = self.now();
        let (wall, time) = (self.timeline.wall(), self.timeline.time_of(now));
        let places = places(stored);
        let stored = |name: &Fingerprint| places.get(name).map_or(&[][..], |place| &stored[place.clone()]);
        // First, as a new lane takes in all keys that are there.
        for config in &configs {
            let name = config.key.fingerprint();
            let known = state.strangers.get(&name).map_or_else(|| stored(&name), Vec::as_slice);
            let scopes: Vec<Arc<str>> = known.iter().filter_map(|record| record.scope.clone()).collect();
            for scope in &scopes {
                self.add_scope(state, scope);
            }
        }
        state.sessions.set_keys(state.index.len() + configs.len());
        state.reserve(configs.len());
        let mut turns = Vec::with_capacity(configs.len());
        for (position, config) in in_order_of_use(state, positions.into_iter().zip(configs), &stored) {
            let fingerprint = config.key.fingerprint();
            let stranger = state.strangers.remove(&fingerprint);
            let records = stranger.as_deref().unwrap_or_else(|| stored(&fingerprint));
            let (main, scoped) = self.recall(state, config.terms.weight, records, wall, time);
            let id = state.vacant.pop().unwrap_or_else(|| {
                state.entries.push(None);
                SlotId::try_from(state.entries.len() - 1).expect("fewer than 2^32 keys")
            });
            let remains = state.remains.remove(&fingerprint).unwrap_or_default();
            let group = config.group_name().map(|name| state.groups.named(name, &state.quotas, &self.home));
            let ties = state.groups.ties(group, &state.quotas, &self.alone);
            let slot = Slot::new(id, config.key.clone(), ties);
            let mut entry = Entry::new(slot, position, config, group, remains);
            if !scoped.is_empty() {
                entry.history.notes.scoped = scoped;
            }
            if let Some(record) = main {
                entry.restore(record, &self.policy, wall, time);
            }
            turns.push((id, entry.main().health.effective, entry.last_use.stamp()));
            state.disabled += usize::from(entry.main().health.disabled);
            state.enter(entry);
        }
        for lane in &mut state.lanes {
            lane.schedule.insert_all(turns.iter().copied());
        }
        let added: Vec<SlotId> = turns.into_iter().map(|(id, ..)| id).collect();
        self.enter_groups(state, &added, now);
        added
    }

    /// New keys, or such as have new limits, come under the limits that are theirs.
    fn enter_groups(&self, state: &mut State, ids: &[SlotId], now: Tick) {
        let mut groups = HashSet::new();
        for &id in ids {
            if let Some(group) = state.entry(id).traits.group() {
                state.join_group(id, group);
                groups.insert(group);
            } else {
                let counted = state.with_budget(id, |budget, allowance| {
                    budget.set_limits(allowance);
                    allowance.counts_anything()
                });
                state.entry_mut(id).traits.set_counted(counted);
            }
        }
        let is_new = |group: &GroupId| state.is_new_group(*group);
        let new_groups: HashSet<GroupId> = groups.iter().copied().filter(is_new).collect();
        let alone = ids.iter().copied().filter(|&id| state.entry(id).traits.group().is_none()).collect();
        let members = groups.into_iter().map(|group| state.regroup(group));
        let affected: Vec<Vec<SlotId>> = std::iter::once(alone).chain(members).collect();
        ids.iter().for_each(|&id| state.bring_along(id, now));
        if !state.unclaimed.is_empty() {
            for &id in ids {
                let is_new = state.entry(id).traits.group().is_some_and(|group| new_groups.contains(&group));
                self.reclaim_usage(state, id, is_new, now);
            }
        }
        self.came_under(state, &affected.concat(), now);
    }

    /// The limits of these keys changed.
    fn came_under(&self, state: &mut State, ids: &[SlotId], now: Tick) {
        state.watch(ids, now);
        // All of them first: a call that ends quietly meanwhile would leave the others of its group where they are.
        ids.iter().for_each(|&id| state.entry(id).refresh_serene(&self.policy));
        ids.iter().for_each(|&id| state.place(id, now, &self.timeline));
    }

    /// What the store knows of a key: its record, and its condition in the scopes where it is impaired.
    fn recall<'r>(
        &self,
        state: &mut State,
        weight: f64,
        records: &'r [Record],
        wall: Wall,
        time: SystemTime,
    ) -> (Option<&'r Record>, Vec<Scoped>) {
        let main = records.iter().find(|record| record.scope.is_none());
        let epoch = main.map_or(0, |main| main.state.epoch);
        let mut scoped = Vec::new();
        // Those of an older epoch were reset since.
        for record in records.iter().filter(|record| record.scope.is_some() && record.state.epoch >= epoch) {
            let health = taken_over(record, weight, &self.policy, wall, time);
            if let (Some(name), false) = (&record.scope, health.is_full(time))
                && let Some(scope) = self.add_scope(state, name)
            {
                let rest = Seldom::stored(record.state.health.cooldown_until);
                let condition = Condition { rest, ..Condition::new(health) };
                scoped.push(Scoped { scope, condition, dirty: false });
            }
        }
        (main, scoped)
    }

    fn remove(&self, state: &mut State, id: SlotId) {
        let wall = self.timeline.wall();
        let Some(mut entry) = state.take_out(id) else { return };
        let fingerprint = entry.slot.key.fingerprint();
        // Before its changes are taken: a call that ends now finds this, or is among them.
        entry.slot.depart();
        let State { lanes, woken, .. } = state;
        for lane in lanes {
            lane.schedule.remove(id);
            // Who waits for it waits in vain.
            lane.call(woken);
        }
        state.disabled -= usize::from(entry.main().health.disabled);
        if self.home.journaled {
            let mut changes = Vec::new();
            let usage = self.usage(state, &entry, wall);
            entry.take_changes(&state.lanes, wall, usage, &mut changes);
            let counters = entry.history.stored;
            let records = changes.iter().map(|change| {
                let mut shared = change.state.clone();
                // Who puts the key back wants it used: it comes back enabled.
                if shared.health.disabled {
                    shared.health = shared.health.enabled();
                    shared.epoch += 1;
                }
                let counters = if change.scope.is_none() { counters } else { Counters::default() };
                Record { fingerprint, scope: change.scope.clone(), state: shared, counters }
            });
            state.strangers.insert(fingerprint, records.collect());
            state.farewells.extend(changes.into_iter().map(|change| Change { is_farewell: true, ..change }));
        }
        let group = entry.traits.group();
        state.remains.insert(fingerprint, entry.into_remains());
        if let Some(group) = group {
            let members = state.leave_group(id, fingerprint, group);
            self.came_under(state, &members, self.now());
        }
    }

    fn reconfigure(&self, state: &mut State, id: SlotId, config: KeyConfig, now: Tick) {
        let entry = state.entry_mut(id);
        let weight = config.terms.weight;
        if let Some(main) = entry.known_main_mut() {
            main.health.set_weight(weight);
        }
        for scoped in entry.scoped_mut() {
            scoped.condition.health.set_weight(weight);
        }
        let (old_group, is_same_group) = (entry.traits.group(), entry.terms.group() == config.group_name());
        entry.terms = config.terms;
        if let Some(group) = old_group {
            let members = state.leave_group(id, config.key.fingerprint(), group);
            self.came_under(state, &members, now);
        }
        if !is_same_group {
            let name = state.entry(id).terms.group().map(str::to_owned);
            let group = name.map(|name| state.groups.named(&name, &state.quotas, &self.home));
            let ties = state.groups.ties(group, &state.quotas, &self.alone);
            let entry = state.entry_mut(id);
            entry.traits.set_group(group);
            entry.move_to(Slot::new(id, entry.slot.key.clone(), ties));
        }
        self.enter_groups(state, &[id], now);
        if self.home.journaled {
            state.mark_dirty(id);
        }
    }
}

/// Keys in the order in which they will be used, those of no use so far shuffled: what is used one after another then
/// lies beside one another in memory, where the processor fetches it before it is asked to.
fn in_order_of_use<'r, I, S>(
    state: &mut State,
    configs: I,
    stored: &S,
) -> impl Iterator<Item = (u32, KeyConfig)> + use<'r, I, S>
where
    I: Iterator<Item = (u32, KeyConfig)>,
    S: Fn(&Fingerprint) -> &'r [Record],
{
    let mut configs: Vec<Option<(u32, KeyConfig)>> = configs.map(Some).collect();
    let last_use = |name: &Fingerprint| {
        let known = state.strangers.get(name).map_or_else(|| stored(name), Vec::as_slice);
        known.iter().find(|record| record.scope.is_none()).and_then(|record| record.state.last_used)
    };
    let uses = configs.iter().flatten().map(|(_, config)| last_use(&config.key.fingerprint()));
    let mut order: Vec<(Option<SystemTime>, usize)> = uses.zip(0..).collect();
    state.lane_mut(NO_SCOPE).schedule.shuffle(&mut order);
    order.sort_by_key(|(last_use, _)| *last_use);
    order.into_iter().filter_map(move |(_, place)| configs[place].take())
}

/// Where the records of each key are, which are sorted by fingerprint.
fn places(stored: &[Record]) -> ByFingerprint<Range<usize>> {
    let mut places = ByFingerprint::with_capacity_and_hasher(stored.len(), <_>::default());
    let mut start = 0;
    for of_one_key in stored.chunk_by(|a, b| a.fingerprint == b.fingerprint) {
        places.insert(of_one_key[0].fingerprint, start..start + of_one_key.len());
        start += of_one_key.len();
    }
    places
}
