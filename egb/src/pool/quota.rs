//! Whose limits a key's calls count against: its own, or those of its group, whose keys share one quota.

use crate::sync::atomic::{AtomicU32, Ordering};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::Home;
use super::entry::Entry;
use super::lanes::{NO_SCOPE, ScopeId};
use super::slot::{Slot, Ties};
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

/// Running calls of keys that share a limit on them, and of scopes that have one.
#[derive(Debug)]
pub(super) struct Gauge {
    /// Whose calls they are, if not those of one key.
    pub(super) group: Option<GroupId>,
    all: AtomicU32,
    scopes: Box<[(ScopeId, AtomicU32)]>,
}

impl Gauge {
    fn new(group: Option<GroupId>, quotas: &Quotas) -> Self {
        let limited = quotas.scopes.iter().filter(|(_, limits)| limits.concurrency.is_some());
        let scopes = limited.map(|(scope, _)| (*scope, AtomicU32::new(0))).collect();
        Self { group, all: AtomicU32::new(0), scopes }
    }

    fn counters(&self, scope: ScopeId) -> impl Iterator<Item = &AtomicU32> {
        let scoped = self.scopes.iter().filter(move |(of, _)| *of == scope).map(|(_, running)| running);
        std::iter::once(&self.all).chain(scoped)
    }

    pub(super) fn begin(&self, scope: ScopeId) {
        self.counters(scope).for_each(|running| {
            running.fetch_add(1, Ordering::SeqCst);
        });
    }

    pub(super) fn end(&self, scope: ScopeId) {
        self.counters(scope).for_each(|running| {
            running.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// Keys that share one quota: those of one project, at Google.
pub(super) struct Group {
    holder: Fingerprint,
    members: Vec<SlotId>,
    /// The lowest of the members', limit by limit.
    limits: Limits,
    budget: Budget,
    /// With what the running calls of all members are counted in.
    ties: Arc<Ties>,
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
    slot: &'a Slot,
    group: Option<&'a Gauge>,
}

impl Quota<'_> {
    pub(super) fn running(&self) -> u32 {
        self.group.map_or_else(|| self.slot.running(), |group| group.all.load(Ordering::SeqCst))
    }

    /// Whether as many calls run as may, for all calls or for those of a scope.
    #[inline]
    pub(super) fn is_busy(&self, quotas: &Quotas, scope: ScopeId) -> bool {
        let is_full = self.limits.concurrency.is_some_and(|limit| self.running() >= limit.get());
        is_full || (scope != NO_SCOPE && self.is_busy_within(quotas, scope))
    }

    fn is_busy_within(&self, quotas: &Quotas, scope: ScopeId) -> bool {
        let gauge = self.group.or(self.slot.gauge());
        quotas.concurrency(scope).is_some_and(|limit| {
            let scoped = gauge.and_then(|gauge| gauge.scopes.iter().find(|(of, _)| *of == scope));
            scoped.is_some_and(|(_, running)| running.load(Ordering::SeqCst) >= limit)
        })
    }
}

impl Groups {
    /// The quota of a key.
    #[inline]
    pub(super) fn quota<'a>(&'a self, entry: &'a Entry) -> Quota<'a> {
        let slot = &*entry.slot;
        match entry.traits.group() {
            Some(group) => {
                let Group { limits, budget, ties, .. } = &self.list[group.place()];
                Quota { limits: *limits, budget, slot, group: ties.gauge() }
            }
            None => Quota { limits: entry.terms.limits, budget: &entry.budget, slot, group: None },
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
        self.list.push(Group {
            holder: Fingerprint::of_group(name),
            members: Vec::new(),
            limits: Limits::default(),
            budget: Budget::default(),
            ties: Arc::new(Ties::counted(Arc::clone(home), Gauge::new(Some(group), quotas))),
        });
        self.index.insert(name.to_owned(), group);
        group
    }

    /// What a new slot has to do with others. `earlier` is the key's last slot, `alone` what keys have that share nothing.
    pub(super) fn ties(
        &self,
        group: Option<GroupId>,
        quotas: &Quotas,
        earlier: Option<&Slot>,
        alone: &Arc<Ties>,
    ) -> Arc<Ties> {
        match group {
            Some(group) => Arc::clone(&self.list[group.place()].ties),
            None if !quotas.limits_concurrency() => Arc::clone(alone),
            None => {
                let own =
                    earlier.map(Slot::ties).filter(|ties| ties.gauge().is_some_and(|gauge| gauge.group.is_none()));
                let new = || Arc::new(Ties::counted(Arc::clone(alone.home()), Gauge::new(None, quotas)));
                own.map_or_else(new, Arc::clone)
            }
        }
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
        self.groups.list[group.place()].members.push(id);
    }

    /// A key leaves its group. Returns who stays.
    pub(super) fn leave_group(&mut self, id: SlotId, group: GroupId) -> Vec<SlotId> {
        self.groups.list[group.place()].members.retain(|&member| member != id);
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
