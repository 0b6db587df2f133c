//! Whose limits a key's calls count against: its own, or those of its group, whose keys share one quota.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::Home;
use super::entry::Entry;
use super::gauge::{self, Gauge, Gauges};
use super::lanes::{NO_SCOPE, ScopeId};
use super::slot::{SharedSlot, Ties};
use super::state::State;
use crate::clock::{Tick, Timeline};
use crate::events::EventKind;
use crate::key::Fingerprint;
use crate::limits::{Allowance, Budget, Limits, Refusal};
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

    /// A key leaves its group. Returns who stays.
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

    /// A call ended: what that says of limits that are learned. Returns whether the quota changed.
    pub(super) fn learn(&mut self, id: SlotId, scope: ScopeId, serial: u64, lesson: Lesson, now: Tick) -> bool {
        let (latest, running) = (self.serial, self.quota(id).running());
        let was_open = self.quota(id).budget.is_open(now);
        let before = self.quota(id).budget.learned(scope);
        if !was_open && !matches!(lesson, Lesson::Refused { .. }) {
            return false;
        }
        let was_probe = self.with_budget(id, |budget, _| match lesson {
            Lesson::Refused { retry_after } => {
                let refusal = Refusal { serial, latest, running, retry_after };
                budget.refused(scope, refusal, now).then_some(false)
            }
            Lesson::Succeeded => budget.succeeded(scope, serial, now).then_some(true),
            Lesson::Other => {
                budget.ended(scope, serial);
                None
            }
        });
        if let Some(went_well) = was_probe {
            self.lane_mut(scope).probes.ended(went_well, now);
        }
        let is_lesson = was_probe == Some(true) || matches!(lesson, Lesson::Refused { .. });
        if let Some(rpm) = self.quota(id).budget.learned(scope)
            && is_lesson
            && before != Some(rpm)
        {
            self.tell(id, scope, EventKind::LimitLearned { rpm });
        }
        true
    }

    /// A key that nothing but a learned limit keeps back, to find out whether that is right. Rarely, and
    /// only called when no other key is free.
    pub(super) fn pop_to_probe(
        &mut self,
        scope: ScopeId,
        now: Tick,
        excluded: &[SlotId],
        timeline: &Timeline,
    ) -> Option<SlotId> {
        /// Keys that are looked at.
        const AT_ONCE: usize = 64;
        let serial = self.serial + 1;
        let slots = self.entries.len();
        if !self.quotas.learn || now < self.lane(scope).probes.next || slots == 0 {
            return None;
        }
        let first = self.lane(scope).probes.cursor;
        let looked_at = (0..AT_ONCE.min(slots)).map(|step| (first + step) % slots);
        let found = looked_at.into_iter().find(|&slot| self.may_probe(slot, scope, now, excluded, timeline));
        let Probes { next, pause, cursor } = &mut self.lane_mut(scope).probes;
        *cursor = found.unwrap_or(first + AT_ONCE) + 1;
        // Should nothing be heard of this one.
        *next = now.plus(*pause);
        let id = SlotId::try_from(found?).ok()?;
        self.with_budget(id, |budget, _| budget.begin_probe(scope, serial, now));
        let members = self.sharing(id);
        self.watch(&members, now);
        for member in members {
            self.entry(member).slot.set_serene(false);
        }
        let schedule = &mut self.lane_mut(scope).schedule;
        schedule.put_back(id);
        schedule.pop_this(id, now).then_some(id)
    }

    fn may_probe(&self, slot: usize, scope: ScopeId, now: Tick, excluded: &[SlotId], timeline: &Timeline) -> bool {
        let Some(entry) = &self.entries[slot] else { return false };
        let quota = self.groups.quota(entry);
        quota.budget.may_probe(scope, now)
            && !entry.main().health.disabled
            && entry.ready_within(scope, timeline) <= now
            && !quota.is_busy(&self.quotas, scope)
            && !excluded.contains(&entry.slot.id)
    }
}

#[cfg(feature = "metrics")]
impl State {
    pub(super) fn gauges(&self) -> crate::events::Gauges {
        let parked = self.lane(NO_SCOPE).schedule.parked_len();
        crate::events::Gauges { keys: self.index.len(), disabled: self.disabled, waiting: parked }
    }
}

/// What the end of a call says of a limit.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lesson {
    Refused { retry_after: Option<Duration> },
    Succeeded,
    Other,
}

/// When a call of a lane may try more than was learned.
#[derive(Debug)]
pub(super) struct Probes {
    next: Tick,
    pause: Duration,
    /// The slot to look at next.
    cursor: usize,
}

impl Default for Probes {
    fn default() -> Self {
        Self { next: Tick::ZERO, pause: Self::FIRST_PAUSE, cursor: 0 }
    }
}

impl Probes {
    const FIRST_PAUSE: Duration = Duration::from_secs(15);
    const LONGEST_PAUSE: Duration = Duration::from_secs(600);

    /// A probe that went well is followed by more, one that was refused by fewer.
    fn ended(&mut self, went_well: bool, now: Tick) {
        if went_well {
            self.pause = Self::FIRST_PAUSE;
            self.next = now.plus(Duration::from_secs(1));
        } else {
            self.pause = (2 * self.pause).min(Self::LONGEST_PAUSE);
            self.next = now.plus(self.pause);
        }
    }
}
