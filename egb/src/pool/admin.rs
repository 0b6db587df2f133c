//! What operators do to a pool: fill it, reload it, reset, enable and disable keys, look at it.

use crate::sync::atomic::AtomicBool;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use crate::sync::{Apart, Mutex, RwLock};

use super::added::{Added, Origin};
use super::condition::{Condition, Scoped};
use super::entry::{Entry, Remains};
use super::index::Index;
use super::lanes::{Lane, NO_SCOPE};
use super::quota::{Groups, Quotas};
use super::sessions::Sessions;
use super::slot::Slot;
use super::state::State;
use super::{Effect, Home, Pool};
use crate::clock::{Tick, Timeline, Wall};
use crate::config::KeyConfig;
use crate::events::{Bus, EventKind};
use crate::health::Health;
#[cfg(feature = "cli")]
use crate::key::Key;
use crate::key::{ByFingerprint, Fingerprint, Fingerprints};
use crate::limits::{Budget, Limits};
use crate::policy::Policy;
use crate::schedule::SlotId;
use crate::seldom::Seldom;
use crate::stats::Stats;
use crate::store::{Change, Counters, Edit, Record, Usage};

/// What is set for all keys of a pool.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) policy: Policy,
    /// Decides which keys come first.
    pub(crate) seed: u64,
    /// Limits of each key or group for the calls of one scope.
    pub(crate) scope_limits: Vec<(String, Limits)>,
    /// Whether limits that are not given are learned.
    pub(crate) learn: bool,
    /// What was used of limits before.
    pub(crate) usage: Vec<Usage>,
    /// Keys that were added by hand, as the store has them.
    pub(crate) added: Vec<KeyConfig>,
    /// For keys that were added and set no limit of their own.
    pub(crate) defaults: Limits,
    /// Sessions that are remembered; `None` goes by the number of keys.
    pub(crate) cache_size: Option<usize>,
    /// Whether what is used of limits is for others to write.
    pub(crate) is_bystander: bool,
}

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
    /// A pool of `configs` (distinct keys), with the state that `records` hold of them.
    pub(crate) fn new(
        configs: Vec<KeyConfig>,
        records: Vec<Record>,
        settings: Settings,
        timeline: Timeline,
        journaled: bool,
    ) -> Arc<Self> {
        let Settings { policy, seed, scope_limits, learn, usage, added, defaults, cache_size, is_bystander } = settings;
        let mut records = records;
        records.sort_unstable_by_key(|record| record.fingerprint);
        let mut unclaimed: ByFingerprint<Vec<Usage>> = ByFingerprint::default();
        for usage in usage {
            unclaimed.entry(usage.holder).or_default().push(usage);
        }
        let state = State {
            lanes: vec![Lane::new("".into(), seed)],
            entries: Vec::with_capacity(configs.len()),
            vacant: Vec::new(),
            index: Index::default(),
            quotas: Quotas { scopes: Vec::new(), learn },
            groups: Groups::default(),
            sessions: Sessions::new(cache_size),
            serial: 0,
            latest: Tick::ZERO,
            disabled: 0,
            dirty: Vec::with_capacity(if journaled { configs.len() } else { 0 }),
            farewells: Vec::new(),
            remains: ByFingerprint::default(),
            added: Added::new(added, defaults),
            strangers: ByFingerprint::default(),
            unclaimed,
            events: Vec::new(),
            woken: Vec::new(),
            legacy: None,
        };
        let pool = Arc::new_cyclic(|pool| Self {
            policy,
            timeline,
            home: Arc::new(Home::new(pool.clone(), journaled)),
            is_bystander,
            seed,
            scopes: RwLock::default(),
            has_too_many_scopes: AtomicBool::new(false),
            bus: Bus::default(),
            state: Apart(Mutex::new(state)),
        });
        pool.locked(|state| {
            for (name, limits) in scope_limits {
                let scope = pool.add_scope(state, &name).unwrap_or(NO_SCOPE);
                state.quotas.scopes.push((scope, limits));
            }
            let configs = state.added.beside(configs);
            // The index would look each name up where its key is, all over the memory.
            let known = if records.is_empty() { &[] } else { &configs[..] };
            let names: Fingerprints = known.iter().map(|config| config.key.fingerprint()).collect();
            pool.add(state, configs, 0.., &records);
            for record in records.into_iter().filter(|record| !names.contains(&record.fingerprint)) {
                state.strangers.entry(record.fingerprint).or_default().push(record);
            }
        });
        pool
    }

    /// Brings the pool to `configs` (distinct keys) and those that were added by hand. Keys that stay keep their
    /// health; one that comes back after it was removed is enabled.
    pub(crate) fn reload(&self, configs: Vec<KeyConfig>) -> Reloaded {
        let wanted: HashSet<Fingerprint> = configs.iter().map(|config| config.key.fingerprint()).collect();
        self.locked(|state| {
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
        let state = self.state.0.lock();
        state.find(&fingerprint)?;
        Some(if state.added.is_alone(&fingerprint) { Origin::Added } else { Origin::Given })
    }

    /// The key of that name.
    #[cfg(feature = "cli")]
    pub(crate) fn key(&self, fingerprint: Fingerprint) -> Option<Key> {
        let state = self.state.0.lock();
        let id = state.find(&fingerprint)?;
        Some(state.entry(id).slot.key.clone())
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
    fn add(
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
            let group = config.group_name().map(|name| state.groups.named(name, &state.quotas));
            let gauge = state.groups.gauge(group, &state.quotas, remains.slot.as_deref());
            let slot = Slot::new(id, config.key.clone(), gauge, Arc::clone(&self.home));
            let mut entry = Entry::new(slot, position, config, group, remains);
            if !scoped.is_empty() {
                entry.rare.scoped = scoped;
            }
            if let Some(record) = main {
                entry.restore(record, &self.policy, wall, time);
            }
            turns.push((id, entry.main.health.effective, entry.last_use.stamp()));
            state.disabled += usize::from(entry.main.health.disabled);
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
            match state.entry(id).group {
                Some(group) => {
                    state.join_group(id, group);
                    groups.insert(group);
                }
                None => state.with_budget(id, Budget::set_limits),
            }
        }
        let alone = ids.iter().copied().filter(|&id| state.entry(id).group.is_none()).collect();
        let members = groups.into_iter().map(|group| state.regroup(group));
        let affected: Vec<Vec<SlotId>> = std::iter::once(alone).chain(members).collect();
        if !state.unclaimed.is_empty() {
            ids.iter().for_each(|&id| self.reclaim_usage(state, id, now));
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
            let mut health = record.state.health.moved(|instant| wall.time_of_wall(instant)).restored(time);
            health.set_weight(weight);
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
        state.disabled -= usize::from(entry.main.health.disabled);
        if self.home.journaled {
            let mut changes = Vec::new();
            let usage = self.usage(state, &entry, wall);
            entry.take_changes(&state.lanes, wall, usage, &mut changes);
            let counters = entry.stored.counters;
            let records = changes.iter().map(|change| {
                let mut shared = change.state.clone();
                // Who puts the key back wants it used: it comes back enabled.
                if shared.health.disabled {
                    shared.health = enabled(&shared.health);
                    shared.epoch += 1;
                }
                let counters = if change.scope.is_none() { counters } else { Counters::default() };
                Record { fingerprint, scope: change.scope.clone(), state: shared, counters }
            });
            state.strangers.insert(fingerprint, records.collect());
            state.farewells.extend(changes.into_iter().map(|change| Change { is_farewell: true, ..change }));
        }
        let group = entry.group;
        state.remains.insert(fingerprint, Remains { slot: Some(entry.slot), budget: entry.budget });
        if let Some(group) = group {
            let members = state.leave_group(id, group);
            self.came_under(state, &members, self.now());
        }
    }

    fn reconfigure(&self, state: &mut State, id: SlotId, config: KeyConfig, now: Tick) {
        let entry = state.entry_mut(id);
        entry.main.health.set_weight(config.terms.weight);
        for scoped in entry.scoped_mut() {
            scoped.condition.health.set_weight(config.terms.weight);
        }
        let (old_group, is_same_group) = (entry.group, entry.terms.group() == config.group_name());
        entry.terms = config.terms;
        if let Some(group) = old_group {
            let members = state.leave_group(id, group);
            self.came_under(state, &members, now);
        }
        if !is_same_group {
            let name = state.entry(id).terms.group().map(str::to_owned);
            let group = name.map(|name| state.groups.named(&name, &state.quotas));
            let gauge = state.groups.gauge(group, &state.quotas, None);
            let entry = state.entry_mut(id);
            entry.group = group;
            entry.move_to(Slot::new(id, entry.slot.key.clone(), gauge, Arc::clone(&self.home)));
        }
        self.enter_groups(state, &[id], now);
        if self.home.journaled {
            state.mark_dirty(id);
        }
    }

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
                if enable { enabled(health) } else { Health { disabled: true, ..health.clone() } }
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
        let before = entry.main.health.clone();
        let was_disabled = before.disabled;
        let next = change(&self.policy, &entry.main.health);
        let is_disabled = next.disabled;
        entry.stored.epoch += 1;
        entry.forget_fetches();
        // Calls that are still running began before the operator's word.
        entry.main.set_by_hand(next, serial);
        entry.changed = true;
        if !is_disabled {
            let full = Health::new(entry.main.health.weight);
            for scoped in entry.scoped_mut() {
                scoped.condition.set_by_hand(full.clone(), serial);
                scoped.dirty = self.home.journaled;
            }
            entry.forget_recovered(time);
        }
        entry.refresh_serene(&self.policy);
        state.disabled = state.disabled + usize::from(is_disabled) - usize::from(was_disabled);
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
            let state = self.state.0.lock();
            let rows = state.entries.iter().skip(start).take(ROWS_AT_ONCE).flatten();
            keys.extend(rows.map(|entry| (entry.position, entry.row(&state, &self.timeline, wall, now))));
            if start + ROWS_AT_ONCE >= state.entries.len() {
                break;
            }
        }
        // Slots are used again; the order of the keys is that in which they were given.
        keys.sort_by_key(|&(position, _)| position);
        let sessions = self.state.0.lock().sessions.stats();
        Stats { keys: keys.into_iter().map(|(_, row)| row).collect(), sessions }
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

/// The health of a key that an operator enables: usable now, with the share that it had.
fn enabled(health: &Health) -> Health {
    let mut enabled = Health { disabled: false, cooldown_until: None, ..health.clone() };
    enabled.past.end_errors_in_a_row();
    enabled.past.end_streaks(0);
    enabled
}
