//! How much of its limits one key, or one group of keys, used, in all scopes. Knows what is counted, not how.

use std::num::NonZeroU32;

use super::learned::Refusal;
use super::meter::{Memory, Meter};
use super::{ALL, Allowance, Charge, Limits, Used, Which};
use crate::clock::Tick;

/// What one key, or one group of keys, used of its limits. Whatever these are, one that was not used since the start
/// costs a pointer: what counts is made at the first use.
///
/// The meter is that of all calls; it has those of some scopes' calls with its rare things.
#[derive(Debug, Default)]
pub(crate) struct Budget(pub(super) Option<Box<Meter>>);

impl Budget {
    /// Records a use. Returns what [`ready_at`](Self::ready_at) says after it. `allowance` is asked rarely, as the
    /// limits of a large pool's keys are far from the processor; `day_end` is asked for the next midnight at the first
    /// use of a day.
    #[inline]
    pub(crate) fn take<'a>(
        &mut self,
        allowance: impl Fn() -> Allowance<'a>,
        scope: u32,
        serial: u64,
        now: Tick,
        day_end: impl Fn() -> Tick,
    ) -> Tick {
        let meter = match &mut self.0 {
            Some(meter) => meter,
            None => match self.begin(allowance()) {
                Some(meter) => meter,
                None => return Tick::ZERO,
            },
        };
        let ready = meter.take(serial, now, &day_end);
        if scope == ALL { ready } else { ready.max(meter.take_within(allowance, scope, serial, now, day_end)) }
    }

    /// Whether anything was counted, so that it is known what counts.
    pub(crate) fn is_begun(&self) -> bool {
        self.0.is_some()
    }

    /// As [`take`](Self::take) of a call without a scope, once it [is begun](Self::is_begun).
    #[inline]
    pub(crate) fn take_more(&mut self, serial: u64, now: Tick, day_end: impl FnOnce() -> Tick) -> Tick {
        self.0.as_mut().map_or(Tick::ZERO, |meter| meter.take(serial, now, day_end))
    }

    /// Makes what counts, if anything is to be counted.
    #[cold]
    #[inline(never)]
    fn begin(&mut self, allowance: Allowance<'_>) -> Option<&mut Box<Meter>> {
        allowance.counts_anything().then(|| self.0.get_or_insert_with(|| Box::new(Meter::unused(allowance))))
    }

    /// What counts. It's made here if there is none and such limits are given, so not where they are only learned.
    fn given(&mut self, allowance: Allowance<'_>, limits: impl Fn(&Limits) -> bool) -> Option<&mut Box<Meter>> {
        if self.0.is_none() && allowance.gives(limits) { self.begin(allowance) } else { self.0.as_mut() }
    }

    /// Uses for all calls that other processes made.
    pub(crate) fn take_others(&mut self, allowance: Allowance<'_>, uses: u32, now: Tick, day_end: impl Fn() -> Tick) {
        if let Some(meter) = self.given(allowance, Limits::count_uses) {
            meter.take_others(uses, now, day_end);
        }
    }

    /// The first instant at which the key may be used in this scope; one that isn't after now means at once.
    #[inline]
    pub(crate) fn ready_at(&self, scope: u32) -> Tick {
        let Some(all) = &self.0 else { return Tick::ZERO };
        let ready = all.ready_at();
        if scope == ALL {
            return ready;
        }
        ready.max(all.of(scope).map_or(Tick::ZERO, Meter::ready_at))
    }

    /// Changes the limits. What was used stays used, as far as a limit counted it.
    pub(crate) fn set_limits(&mut self, allowance: Allowance<'_>) {
        self.0.take_if(|meter| {
            meter.come_under(allowance);
            meter.counts_nothing() && meter.scopes().is_empty()
        });
    }

    /// The server refused a call of this scope for its rate. Returns whether it was a probe of a learned limit.
    pub(crate) fn refused(&mut self, scope: u32, refusal: Refusal, now: Tick) -> bool {
        self.of_mut(scope).is_some_and(|meter| meter.refused(refusal, now))
    }

    /// A call ended well. Returns whether it was a probe of a learned limit.
    pub(crate) fn succeeded(&mut self, scope: u32, serial: u64, now: Tick) -> bool {
        self.of_mut(scope).is_some_and(|meter| meter.succeeded(serial, now))
    }

    /// A call ended in another way.
    pub(crate) fn ended(&mut self, scope: u32, serial: u64) {
        if let Some(meter) = self.of_mut(scope) {
            meter.ended(serial);
        }
    }

    /// Whether the key could be used if its learned limit were one higher, and it is time to try that.
    pub(crate) fn may_probe(&self, scope: u32, now: Tick) -> bool {
        let Some(all) = &self.0 else { return false };
        let others_are_ready = scope == ALL || all.ready_at() <= now;
        others_are_ready && all.of(scope).is_some_and(|meter| meter.may_probe(now))
    }

    pub(crate) fn begin_probe(&mut self, scope: u32, serial: u64, now: Tick) {
        if let Some(meter) = self.of_mut(scope) {
            meter.begin_probe(serial, now);
        }
    }

    /// Whether ends of calls have something to say of a learned limit.
    pub(crate) fn is_open(&self, now: Tick) -> bool {
        self.0.as_ref().is_some_and(|all| all.each().any(|(_, meter)| meter.is_open(now)))
    }

    /// What a call spent.
    pub(crate) fn spent(&mut self, allowance: Allowance<'_>, scope: u32, charge: Charge, tokens: u64) {
        let Some(all) = self.given(allowance, Limits::count_tokens) else { return };
        let correct =
            |meter: &mut Meter| meter.tokens_mut().into_iter().for_each(|known| known.correct(charge, tokens));
        correct(all);
        if scope != ALL {
            all.of_mut(scope).into_iter().for_each(correct);
        }
    }

    /// What the last call spent that has not said so, whatever its scope; if all have, one that `latest` stands for.
    pub(crate) fn spent_last(&mut self, allowance: Allowance<'_>, latest: u64, tokens: u64, now: Tick) {
        let Some(all) = self.given(allowance, Limits::count_tokens) else { return };
        let unknown = all.each().filter_map(|(scope, meter)| Some((meter.tokens()?.last_unknown()?, scope)));
        match (unknown.max(), all.tokens_mut()) {
            (Some((serial, scope)), _) => {
                self.spent(allowance, scope, Charge { serial, which: Which::Unknown }, tokens);
            }
            (None, Some(known)) => known.add(latest, tokens, now),
            (None, None) => {}
        }
    }

    /// Whether anything that was used still counts.
    pub(crate) fn is_used(&self, now: Tick) -> bool {
        self.0.as_ref().is_some_and(|all| all.each().any(|(_, meter)| meter.is_used(now)))
    }

    /// Requests a minute of this scope, as learned.
    pub(crate) fn learned(&self, scope: u32) -> Option<u32> {
        self.0.as_ref()?.of(scope)?.learned().map(NonZeroU32::get)
    }

    /// What was used of the limits for all calls.
    pub(crate) fn used(&self, allowance: Allowance<'_>, now: Tick) -> Used {
        match &self.0 {
            Some(all) => all.used(now),
            None => Meter::of_all(allowance).used(now),
        }
    }

    /// The limits of a scope's own, and what was used of them and of what was learned.
    pub(crate) fn within(&self, allowance: Allowance<'_>, scope: u32, now: Tick) -> (Limits, Used) {
        let limits = allowance.of_scope(scope);
        let known = self.0.as_ref().and_then(|all| all.of(scope));
        let used = known.map_or_else(|| Meter::new(limits, allowance.learns(scope)).used(now), |meter| meter.used(now));
        (limits, used)
    }

    /// What a restart has to know, by scope.
    pub(crate) fn memories(&self, now: Tick) -> Vec<(u32, Memory)> {
        let each = self.0.iter().flat_map(|all| all.each());
        each.map(|(scope, meter)| (scope, meter.memory(now))).collect()
    }

    /// Counts, beside what was used here, what was used elsewhere, where a limit counts it.
    pub(crate) fn add(&mut self, allowance: Allowance<'_>, scope: u32, theirs: &Memory) {
        if allowance.counts(scope)
            && !theirs.is_empty()
            && let Some(all) = self.begin(allowance)
        {
            all.made_of(allowance, scope).add(theirs);
        }
    }

    /// Takes over what is known from before, where a limit counts it.
    pub(crate) fn remember(&mut self, allowance: Allowance<'_>, scope: u32, memory: &Memory) {
        if allowance.counts(scope)
            && let Some(all) = self.begin(allowance)
        {
            all.made_of(allowance, scope).remember(memory);
        }
    }

    fn of_mut(&mut self, scope: u32) -> Option<&mut Meter> {
        self.0.as_mut().and_then(|all| all.of_mut(scope))
    }
}
