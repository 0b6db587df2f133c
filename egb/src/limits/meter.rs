//! What one key, or one group of keys, has used in one scope, against all limits of that.

use std::num::NonZeroU32;

use super::day::{Daily, Day};
use super::learned::{Learned, Refusal};
use super::tally::{Group, Tally};
use super::tokens::{Spent, Tokens};
use super::{ALL, Allowance, Limits, Used};
use crate::clock::Tick;

/// In the order in which it is used: what each use reads and writes lies together.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Meter {
    tally: Tally,
    day: Option<Daily>,
    rare: Option<Box<Rare>>,
}

/// What few keys have, in one box: the others have a pointer for all of it.
#[derive(Debug, Default)]
struct Rare {
    /// Boxed, as are what was learned and what counts scopes: whoever has one of them seldom has another.
    tokens: Option<Box<Tokens>>,
    /// `None` until a limit that was not given was met.
    learned: Option<Box<Learned>>,
    /// What counts the calls of some scopes alone. It has no scopes in turn.
    scopes: Vec<(u32, Meter)>,
}

impl Rare {
    fn is_needless(&self) -> bool {
        self.tokens.is_none() && self.learned.is_none() && self.scopes.is_empty()
    }
}

impl Meter {
    pub(super) fn new(limits: Limits, learns: bool) -> Self {
        let mut meter = Self::default();
        meter.set_limits(limits, learns);
        meter
    }

    /// What counts all calls, and those of scopes, before any was made.
    pub(super) fn unused(allowance: Allowance<'_>) -> Self {
        let mut meter = Self::of_all(allowance);
        meter.change_scopes(|scopes| scopes.extend(Self::of_scopes(allowance)));
        meter
    }

    /// As [`unused`](Self::unused), of all calls alone.
    pub(super) fn of_all(allowance: Allowance<'_>) -> Self {
        Self::new(allowance.all, allowance.learns(ALL))
    }

    /// As [`unused`](Self::unused), of the scopes that have limits.
    pub(super) fn of_scopes(allowance: Allowance<'_>) -> impl Iterator<Item = (u32, Self)> {
        let limited = allowance.scopes.iter().filter(|(_, limits)| limits.count_uses());
        limited.map(move |&(scope, limits)| (scope, Self::new(limits, allowance.learns(scope))))
    }

    /// Changes the limits of all calls and those of scopes. The scopes that have limits are ever the same.
    pub(super) fn come_under(&mut self, allowance: Allowance<'_>) {
        self.set_limits(allowance.all, allowance.learns(ALL));
        self.change_scopes(|scopes| {
            for (scope, meter) in scopes.iter_mut() {
                meter.set_limits(allowance.of_scope(*scope), allowance.learns(*scope));
            }
            scopes.retain(|(_, meter)| !meter.counts_nothing());
        });
    }

    /// What was used stays used, as far as a limit counted it.
    fn set_limits(&mut self, limits: Limits, learns: bool) {
        let learns = learns && limits.rpm.is_none();
        self.change_rare(|rare| {
            rare.learned = rare.learned.take().filter(|_| learns);
            rare.tokens = limits.tpm.map(|tpm| {
                let mut tokens = rare.tokens.take().unwrap_or_else(|| Box::new(Tokens::new(tpm)));
                tokens.set_limit(tpm);
                tokens
            });
        });
        self.tally.set_limit(limits.rpm.or(self.learned()), learns);
        self.day = limits.rpd.map(|rpd| self.day.map_or(Daily::new(rpd), |day| day.with_limit(rpd)));
    }

    fn change_rare(&mut self, change: impl FnOnce(&mut Rare)) {
        if let Some(rare) = &mut self.rare {
            change(rare);
            self.rare.take_if(|rare| rare.is_needless());
        } else {
            let mut rare = Rare::default();
            change(&mut rare);
            self.rare = (!rare.is_needless()).then(|| Box::new(rare));
        }
    }

    /// What counts the calls of some scopes alone.
    #[inline]
    pub(super) fn scopes(&self) -> &[(u32, Self)] {
        self.rare.as_ref().map_or(&[], |rare| &rare.scopes)
    }

    #[inline]
    fn scopes_mut(&mut self) -> &mut [(u32, Self)] {
        self.rare.as_mut().map_or(&mut [], |rare| &mut rare.scopes)
    }

    fn change_scopes(&mut self, change: impl FnOnce(&mut Vec<(u32, Self)>)) {
        self.change_rare(|rare| {
            change(&mut rare.scopes);
            // Few keys are called in more scopes than the first that is seen: no more room than that takes.
            rare.scopes.shrink_to_fit();
        });
    }

    /// What counts the calls of this scope, and for those of `ALL` all.
    #[inline]
    pub(super) fn of(&self, scope: u32) -> Option<&Self> {
        if scope == ALL {
            return Some(self);
        }
        self.scopes().iter().find(|(of, _)| *of == scope).map(|(_, meter)| meter)
    }

    #[inline]
    pub(super) fn of_mut(&mut self, scope: u32) -> Option<&mut Self> {
        if scope == ALL {
            return Some(self);
        }
        self.scopes_mut().iter_mut().find(|(of, _)| *of == scope).map(|(_, meter)| meter)
    }

    /// As [`of_mut`](Self::of_mut), made if there is none.
    pub(super) fn made_of(&mut self, allowance: Allowance<'_>, scope: u32) -> &mut Self {
        if scope == ALL {
            return self;
        }
        let place = self.place_of(scope).unwrap_or_else(|| self.begin(allowance, scope));
        &mut self.scopes_mut()[place].1
    }

    #[inline]
    fn place_of(&self, scope: u32) -> Option<usize> {
        self.scopes().iter().position(|(of, _)| *of == scope)
    }

    /// Makes what counts the calls of a scope. Returns its place.
    #[cold]
    #[inline(never)]
    fn begin(&mut self, allowance: Allowance<'_>, scope: u32) -> usize {
        let meter = Self::new(allowance.of_scope(scope), allowance.learns(scope));
        self.change_scopes(|scopes| scopes.push((scope, meter)));
        self.scopes().len() - 1
    }

    /// This, and what counts the calls of some scopes alone.
    pub(super) fn each(&self) -> impl Iterator<Item = (u32, &Self)> {
        std::iter::once((ALL, self)).chain(self.scopes().iter().map(|(scope, meter)| (*scope, meter)))
    }

    #[inline]
    pub(super) fn learns(&self) -> bool {
        self.tally.learns()
    }

    /// Whether uses are, or were, to be counted by the minute.
    fn counts_minutes(&self) -> bool {
        self.tally.limit().is_some() || self.tally.is_begun()
    }

    pub(super) fn counts_nothing(&self) -> bool {
        !self.counts_minutes() && self.day.is_none() && self.tokens().is_none()
    }

    /// Records a use. Returns what [`ready_at`](Self::ready_at) says after it.
    #[expect(clippy::inline_always, reason = "half as much to do as in a function of its own")]
    #[inline(always)]
    pub(super) fn take(&mut self, serial: u64, now: Tick, day_end: impl FnOnce() -> Tick) -> Tick {
        let mut ready = Tick::ZERO;
        if self.tally.counts() {
            self.tally.record(serial, now);
            ready = self.tally.ready_at();
        }
        if let Some(day) = &mut self.day {
            day.record(1, now, day_end);
            ready = ready.max(day.ready_at());
        }
        if let Some(tokens) = self.tokens_mut() {
            ready = ready.max(tokens.charge(serial, now));
        }
        ready
    }

    /// As [`take`](Self::take), of what counts the calls of a scope alone.
    #[inline(never)]
    pub(super) fn take_within<'a>(
        &mut self,
        allowance: impl Fn() -> Allowance<'a>,
        scope: u32,
        serial: u64,
        now: Tick,
        day_end: impl FnOnce() -> Tick,
    ) -> Tick {
        let place = match self.place_of(scope) {
            Some(place) => place,
            None if self.learns() && allowance().learns(scope) => self.begin(allowance(), scope),
            None => return Tick::ZERO,
        };
        self.scopes_mut()[place].1.take(serial, now, day_end)
    }

    /// Uses that were made by other processes.
    pub(super) fn take_others(&mut self, uses: u32, now: Tick, day_end: impl FnOnce() -> Tick) {
        if self.tally.counts() {
            self.tally.add(Group { at: now, uses, serial: 0 });
        }
        if let Some(day) = &mut self.day {
            day.record(uses, now, day_end);
        }
    }

    #[inline]
    pub(super) fn ready_at(&self) -> Tick {
        self.tally.ready_at().max(self.ready_but_for_what_was_learned())
    }

    /// As [`ready_at`](Self::ready_at), if there were no learned limit.
    #[inline]
    fn ready_but_for_what_was_learned(&self) -> Tick {
        let day = self.day.as_ref().map_or(Tick::ZERO, Daily::ready_at);
        let tokens = self.tokens().map_or(Tick::ZERO, Tokens::ready_at);
        day.max(tokens)
    }

    /// Whether a call may try how far the learned limit can be trusted.
    pub(super) fn may_probe(&self, now: Tick) -> bool {
        self.lesson().is_some_and(|learned| learned.may_probe(now)) && self.ready_but_for_what_was_learned() <= now
    }

    pub(super) fn begin_probe(&mut self, serial: u64, now: Tick) {
        if let Some(learned) = self.lesson_mut() {
            learned.begin_probe(serial, now);
        }
    }

    fn lesson(&self) -> Option<&Learned> {
        self.rare.as_ref()?.learned.as_deref()
    }

    fn lesson_mut(&mut self) -> Option<&mut Learned> {
        self.rare.as_mut()?.learned.as_deref_mut()
    }

    /// Requests a minute, as learned.
    pub(super) fn learned(&self) -> Option<NonZeroU32> {
        self.lesson().map(Learned::limit)
    }

    /// See [`Learned::is_open`].
    pub(super) fn is_open(&self, now: Tick) -> bool {
        self.lesson().is_some_and(|learned| learned.is_open(now))
    }

    pub(super) fn succeeded(&mut self, serial: u64, now: Tick) -> bool {
        let learned = self.rare.as_mut().and_then(|rare| rare.learned.as_mut());
        let Some(learned) = learned else { return false };
        let was_probe = learned.succeeded(serial, &self.tally, now);
        self.tally.set_learned(learned.limit());
        was_probe
    }

    pub(super) fn ended(&mut self, serial: u64) {
        if let Some(learned) = self.lesson_mut() {
            learned.ended(serial);
        }
    }

    /// The server refused a call for its rate. Returns whether it was a probe.
    pub(super) fn refused(&mut self, refusal: Refusal, now: Tick) -> bool {
        if !self.learns() {
            return false;
        }
        let was_probe = self.lesson().is_some_and(|learned| learned.is_probe(refusal.serial));
        // When the server counted is more like when the call began than when its answer is here.
        let counted = self.tally.time_of(refusal.serial, refusal.latest).unwrap_or(now);
        self.tally.take_back();
        match Learned::refused(self.lesson().copied(), &self.tally, refusal, counted, now) {
            Some(learned) => self.learn(learned),
            None => self.ended(refusal.serial),
        }
        was_probe
    }

    fn learn(&mut self, learned: Learned) {
        self.tally.set_learned(learned.limit());
        self.rare.get_or_insert_default().learned = Some(Box::new(learned));
    }

    #[inline]
    pub(super) fn tokens(&self) -> Option<&Tokens> {
        self.rare.as_ref()?.tokens.as_deref()
    }

    #[inline]
    pub(super) fn tokens_mut(&mut self) -> Option<&mut Tokens> {
        self.rare.as_mut()?.tokens.as_deref_mut()
    }

    /// Whether anything that was used still counts.
    pub(super) fn is_used(&self, now: Tick) -> bool {
        let used = self.used(now);
        self.tally.counted(now).next().is_some()
            || used.today.is_some_and(|uses| uses > 0)
            || used.tokens.is_some_and(|tokens| tokens > 0)
            || self.lesson().is_some()
    }

    pub(super) fn used(&self, now: Tick) -> Used {
        Used {
            in_minute: self.counts_minutes().then(|| self.tally.in_minute(now)),
            peak: self.counts_minutes().then(|| self.tally.peak()),
            today: self.day.as_ref().map(|day| day.used(now)),
            tokens: self.tokens().map(|tokens| tokens.in_window(now)),
            learned_rpm: self.learned().map(NonZeroU32::get),
        }
    }

    /// What a restart has to know.
    pub(super) fn memory(&self, now: Tick) -> Memory {
        let counted = self.tally.limit().map(|_| self.tally.counted(now));
        let mut groups: Vec<Group> = Vec::new();
        for group in counted.into_iter().flatten() {
            match groups.last_mut() {
                Some(later) if later.at == group.at => later.uses += group.uses,
                _ => groups.push(group),
            }
        }
        groups.reverse();
        Memory {
            groups,
            day: self.day.as_ref().and_then(|day| day.memory(now)),
            learned: self.learned().map(NonZeroU32::get),
            tokens: self.tokens().and_then(|tokens| tokens.memory(now)),
        }
    }

    /// Takes over what was counted elsewhere, where a limit counts it: it counts beside what was used here.
    pub(super) fn add(&mut self, theirs: &Memory) {
        if let (Some(day), Some(theirs)) = (&mut self.day, theirs.day) {
            day.add(theirs);
        }
        // By now the day counts for more than theirs.
        self.remember(theirs);
    }

    /// Takes over what is known from before, where a limit counts it and it counts for more.
    pub(super) fn remember(&mut self, memory: &Memory) {
        if self.tally.counts() {
            self.tally.add_all(&memory.groups);
        }
        if let (Some(day), Some(before)) = (&mut self.day, memory.day) {
            day.remember(before);
        }
        if let (Some(tokens), Some(before)) = (self.tokens_mut(), &memory.tokens) {
            tokens.remember(before);
        }
        if let Some(rpm) = memory.learned
            && self.learns()
            && self.lesson().is_none()
        {
            self.learn(Learned::restored(rpm));
        }
    }
}

/// What a meter knows that outlives the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Uses that count, oldest first.
    pub(crate) groups: Vec<Group>,
    pub(crate) day: Option<Day>,
    pub(crate) learned: Option<u32>,
    pub(crate) tokens: Option<Spent>,
}

impl Memory {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
