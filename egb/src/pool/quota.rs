//! Whose limits a key's calls count against: its own, or those of its group, whose keys share one quota.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::Home;
use super::entry::Entry;
use super::gauge::{self, Gauge, Gauges};
use super::lanes::{NO_SCOPE, ScopeId};
use super::slot::{SharedSlot, Ties};
use super::state::State;
use crate::clock::{Tick, Timeline};
use crate::key::Fingerprint;
use crate::limits::{Allowance, Budget, Limits};
use crate::schedule::SlotId;

/// The number of a group, from 1: so that none takes no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct GroupId(NonZeroU32);

impl GroupId {
    /// There are no higher numbers.
    pub(super) const LAST: u32 = (1 << 29) - 1;

    pub(super) fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).filter(|number| number.get() <= Self::LAST).map(Self)
    }

    pub(super) fn number(self) -> u32 {
        self.0.get()
    }

    fn place(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Limits that are the same for all keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quotas {
    /// Of each key or group, for the calls of a scope.
    pub(crate) scopes: Vec<(ScopeId, Limits)>,
    /// Whether limits that are not given are learned.
    pub(crate) learn: bool,
}

impl Quotas {
    #[inline]
    pub(super) fn allowance(&self, all: Limits) -> Allowance<'_> {
        Allowance { all, scopes: &self.scopes, learn: self.learn }
    }

    fn concurrency(&self, scope: ScopeId) -> Option<u32> {
        let limits = self.scopes.iter().find(|(of, _)| *of == scope);
        limits.and_then(|(_, limits)| limits.concurrency).map(std::num::NonZero::get)
    }

    fn limits_concurrency(&self) -> bool {
        self.scopes.iter().any(|(_, limits)| limits.concurrency.is_some())
    }
}

/// Keys that share one quota: those of one project, at Google.
pub(super) struct Group {
    holder: Fingerprint,
    members: Vec<SlotId>,
    /// The lowest of the members', limit by limit.
    limits: Limits,
    budget: Budget,
    /// Running calls that began with a member, whether or not its key is one still.
    gauge: Arc<Gauge>,
    /// Those of a member's slot, if nothing else counts its calls.
    ties: Arc<Ties>,
    /// What members had before they came from elsewhere, and calls still hold.
    guests: Vec<SharedSlot>,
}

#[derive(Default)]
pub(super) struct Groups {
    list: Vec<Group>,
    index: HashMap<String, GroupId>,
}

/// The limits that a key's calls count against.
pub(super) struct Quota<'a> {
    pub(super) limits: Limits,
    pub(super) budget: &'a Budget,
    entry: &'a Entry,
    group: Option<&'a Group>,
}

impl Quota<'_> {
    pub(super) fn running(&self) -> u32 {
        self.running_within(NO_SCOPE)
    }

    fn running_within(&self, scope: ScopeId) -> u32 {
        match self.group {
            Some(group) => group.gauge.running(scope) + gauge::running(&group.guests, scope),
            None => gauge::running(self.entry.slots(), scope),
        }
    }

    /// Whether as many calls run as may, for all calls or for those of a scope.
    #[inline]
    pub(super) fn is_busy(&self, quotas: &Quotas, scope: ScopeId) -> bool {
        let is_full = self.limits.concurrency.is_some_and(|limit| self.running() >= limit.get());
        is_full || (scope != NO_SCOPE && self.is_busy_within(quotas, scope))
    }

    pub(super) fn is_busy_within(&self, quotas: &Quotas, scope: ScopeId) -> bool {
        quotas.concurrency(scope).is_some_and(|limit| self.running_within(scope) >= limit)
    }
}

impl Groups {
    /// The quota of a key.
    #[inline]
    pub(super) fn quota<'a>(&'a self, entry: &'a Entry) -> Quota<'a> {
        match entry.traits.group().map(|group| &self.list[group.place()]) {
            Some(group) => Quota { limits: group.limits, budget: &group.budget, entry, group: Some(group) },
            None => Quota { limits: entry.terms.limits, budget: &entry.budget, entry, group: None },
        }
    }

    /// The name under which a store keeps what a key used: its own, or that of its group.
    pub(super) fn holder(&self, entry: &Entry) -> Fingerprint {
        match entry.traits.group() {
            Some(group) => self.list[group.place()].holder,
            None => entry.slot.key.fingerprint(),
        }
    }

    #[inline]
    fn budget_mut<'a>(&'a mut self, entry: &'a mut Entry) -> (&'a mut Budget, &'a Limits) {
        match entry.traits.group() {
            Some(group) => {
                let Group { limits, budget, .. } = &mut self.list[group.place()];
                (budget, limits)
            }
            None => (&mut entry.budget, &entry.terms.limits),
        }
    }

    /// The group of this name, made if there is none.
    pub(super) fn named(&mut self, name: &str, quotas: &Quotas, home: &Arc<Home>) -> GroupId {
        if let Some(&group) = self.index.get(name) {
            return group;
        }
        let number = u32::try_from(self.list.len() + 1).ok();
        let group = number.and_then(GroupId::new).expect("fewer than 2^29 groups");
        let gauge = Arc::new(Gauge::new(quotas));
        let gauges = Gauges { own: None, group: Some((group, Arc::clone(&gauge))) };
        self.list.push(Group {
            holder: Fingerprint::of_group(name),
            members: Vec::new(),
            limits: Limits::default(),
            budget: Budget::default(),
            gauge,
            ties: Arc::new(Ties::counted(Arc::clone(home), gauges)),
            guests: Vec::new(),
        });
        self.index.insert(name.to_owned(), group);
        group
    }

    /// What a new slot has to do with others. `alone` is what slots have that share nothing.
    pub(super) fn ties(&self, group: Option<GroupId>, quotas: &Quotas, alone: &Arc<Ties>) -> Arc<Ties> {
        let known = group.map(|group| &self.list[group.place()]);
        if !quotas.limits_concurrency() {
            return Arc::clone(known.map_or(alone, |group| &group.ties));
        }
        let own = Some(Gauge::new(quotas));
        let group = group.zip(known.map(|group| Arc::clone(&group.gauge)));
        Arc::new(Ties::counted(Arc::clone(alone.home()), Gauges { own, group }))
    }

    /// Those are members' no longer, or no calls hold them.
    pub(super) fn forget_guests(&mut self, group: GroupId, are_gone: impl Fn(&SharedSlot) -> bool) {
        self.list[group.place()].guests.retain(|guest| !are_gone(guest));
    }
}

impl State {
    /// The quota of a key.
    pub(super) fn quota(&self, id: SlotId) -> Quota<'_> {
        self.groups.quota(self.entry(id))
    }

    /// The keys that share the quota of this one, itself included.
    pub(super) fn sharing(&self, id: SlotId) -> Vec<SlotId> {
        match self.entry(id).traits.group() {
            Some(group) => self.groups.list[group.place()].members.clone(),
            None => vec![id],
        }
    }

    /// A call of a key that left its group, or the pool, has ended: another may run in its place.
    pub(super) fn place_group(&mut self, group: GroupId, now: Tick, timeline: &Timeline) {
        let members = self.groups.list[group.place()].members.clone();
        members.into_iter().for_each(|member| self.place(member, now, timeline));
    }

    /// Works on the budget that a key's calls count against, and on what is allowed of it.
    #[inline]
    pub(super) fn with_budget<R>(&mut self, id: SlotId, work: impl FnOnce(&mut Budget, Allowance<'_>) -> R) -> R {
        let (budget, limits, quotas) = self.budget_mut(id);
        work(budget, quotas.allowance(*limits))
    }

    /// Books a use. Returns the first instant at which the key's limits allow another.
    #[inline]
    pub(super) fn spend(&mut self, id: SlotId, scope: ScopeId, serial: u64, now: Tick, timeline: &Timeline) -> Tick {
        let (budget, limits, quotas) = self.budget_mut(id);
        budget.take(|| quotas.allowance(*limits), scope, serial, now, || timeline.next_midnight(now))
    }

    #[inline]
    fn budget_mut(&mut self, id: SlotId) -> (&mut Budget, &Limits, &Quotas) {
        let Self { entries, groups, quotas, .. } = self;
        let entry = entries[id as usize].as_mut().expect(super::state::OCCUPIED);
        let (budget, limits) = groups.budget_mut(entry);
        (budget, limits, quotas)
    }

    /// A key enters its group; the group has to be [told](Self::regroup).
    pub(super) fn join_group(&mut self, id: SlotId, group: GroupId) {
        let Self { entries, groups, .. } = self;
        let known = &mut groups.list[group.place()];
        known.members.push(id);
        let entry = entries[id as usize].as_ref().expect(super::state::OCCUPIED);
        let guests = entry.history.notes.earlier.iter().filter(|slot| slot.group() != Some(group));
        known.guests.extend(guests.cloned());
    }

    /// What a key used on its own counts in the group that it has come to: whoever put it there says that it always did.
    pub(super) fn bring_along(&mut self, id: SlotId, now: Tick) {
        let entry = self.entry_mut(id);
        if entry.traits.group().is_some() {
            for (scope, memory) in std::mem::take(&mut entry.budget).memories(now) {
                self.with_budget(id, |budget, allowance| budget.add(allowance, scope, &memory));
            }
        }
    }

    /// Whether nothing is known of what this group used: neither here, nor by the store.
    pub(super) fn is_new_group(&self, group: GroupId) -> bool {
        let group = &self.groups.list[group.place()];
        !group.budget.is_begun() && !self.unclaimed.contains_key(&group.holder)
    }

    /// A key leaves its group; what it used as a member stays there. Returns who stays.
    pub(super) fn leave_group(&mut self, id: SlotId, name: Fingerprint, group: GroupId) -> Vec<SlotId> {
        self.groups.list[group.place()].members.retain(|&member| member != id);
        self.groups.forget_guests(group, |guest| guest.key.fingerprint() == name);
        self.regroup(group)
    }

    /// The members of a group, or their limits, changed. Returns the members.
    pub(super) fn regroup(&mut self, group: GroupId) -> Vec<SlotId> {
        let Self { entries, groups, quotas, .. } = self;
        let group = &mut groups.list[group.place()];
        let members = group.members.iter().filter_map(|&id| entries[id as usize].as_ref());
        // What was used is kept for those to come while nobody is there.
        if let Some(limits) = members.map(|entry| entry.terms.limits).reduce(Limits::lower) {
            group.limits = limits;
            group.budget.set_limits(quotas.allowance(limits));
        }
        group.members.clone()
    }

    /// Notes whether calls with these keys have to report their end under the lock.
    pub(super) fn watch(&mut self, ids: &[SlotId], now: Tick) {
        for &id in ids {
            let quota = self.quota(id);
            let watched =
                quota.limits.concurrency.is_some() || self.quotas.limits_concurrency() || quota.budget.is_open(now);
            self.entry_mut(id).traits.set_watched(watched);
        }
    }
}

#[cfg(feature = "metrics")]
impl State {
    pub(super) fn gauges(&self) -> crate::events::Gauges {
        let parked = self.lane(NO_SCOPE).schedule.parked_len();
        crate::events::Gauges { keys: self.index.len(), disabled: self.disabled, waiting: parked }
    }
}
