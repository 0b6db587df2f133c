//! Tests of budgets: what passes, what waits, and for how long.

use super::meter::Meter;
use super::tally::Tally;
use super::*;
use crate::clock::Tick;

mod changes;
mod days;
mod fresh;
mod learned;
mod minutes;
mod scopes;
mod tokens;

const MILLIS: u64 = 1_000_000;
const WINDOW_MILLIS: u64 = 60_190;
const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

fn at(millis: u64) -> Tick {
    Tick(millis * MILLIS)
}

fn per_minute(rpm: u32) -> Limits {
    Limits { rpm: NonZeroU32::new(rpm), ..Limits::default() }
}

fn per_day(rpd: u32) -> Limits {
    Limits { rpd: NonZeroU32::new(rpd), ..Limits::default() }
}

fn midnight_after(now: Tick) -> Tick {
    let day = DAY_MILLIS * MILLIS;
    Tick((now.0 / day + 1) * day)
}

/// A budget and what it is for.
struct Bench {
    budget: Budget,
    all: Limits,
    scopes: Vec<(u32, Limits)>,
    learn: bool,
    serial: u64,
}

impl Bench {
    fn new(all: Limits) -> Self {
        let mut bench = Self { budget: Budget::default(), all, scopes: Vec::new(), learn: false, serial: 0 };
        bench.set_limits(all);
        bench
    }

    fn learning() -> Self {
        Self { learn: true, ..Self::new(Limits::default()) }
    }

    fn set_limits(&mut self, all: Limits) {
        self.all = all;
        let Self { budget, scopes, learn, .. } = self;
        budget.set_limits(Allowance { all, scopes, learn: *learn });
    }

    fn take(&mut self, now: Tick, midnight: impl Fn() -> Tick) -> Tick {
        self.take_in(ALL, now, midnight)
    }

    /// Returns when the key may be used again.
    fn take_in(&mut self, scope: u32, now: Tick, midnight: impl Fn() -> Tick) -> Tick {
        self.serial += 1;
        let Self { budget, all, scopes, learn, serial } = self;
        let allowance = || Allowance { all: *all, scopes, learn: *learn };
        let ready = budget.take(allowance, scope, *serial, now, midnight);
        assert_eq!(ready, budget.ready_at(scope), "both say the same");
        self.ready_at(now)
    }

    fn ready_at(&self, now: Tick) -> Tick {
        self.budget.ready_at(ALL).max(now)
    }

    fn allowance(&self) -> Allowance<'_> {
        Allowance { all: self.all, scopes: &self.scopes, learn: self.learn }
    }

    fn used(&self, now: Tick) -> Used {
        self.budget.used(self.allowance(), now)
    }

    fn spent(&mut self, scope: u32, serial: u64, tokens: u64) {
        let Self { budget, all, scopes, learn, .. } = self;
        let charge = Charge { serial, which: Which::Nth(0) };
        budget.spent(Allowance { all: *all, scopes, learn: *learn }, scope, charge, tokens);
    }

    fn spent_last(&mut self, latest: u64, tokens: u64, now: Tick) {
        let Self { budget, all, scopes, learn, .. } = self;
        budget.spent_last(Allowance { all: *all, scopes, learn: *learn }, latest, tokens, now);
    }

    fn add(&mut self, theirs: &Self, now: Tick) {
        let Self { budget, all, scopes, learn, .. } = self;
        for (scope, memory) in theirs.budget.memories(now) {
            budget.add(Allowance { all: *all, scopes, learn: *learn }, scope, &memory);
        }
    }

    fn used_in_minute(&self, now: Tick) -> Option<u32> {
        self.used(now).in_minute
    }

    fn used_today(&self, now: Tick) -> Option<u32> {
        self.used(now).today
    }

    fn refused(&mut self, serial: u64, running: u32, retry_after: Option<Duration>, now: Tick) {
        let refusal = Refusal { serial, latest: self.serial, running, retry_after };
        self.budget.refused(ALL, refusal, now);
    }

    fn used_of_scopes(&self, now: Tick) -> impl Iterator<Item = (u32, Limits, Used)> {
        let within = move |scope| (scope, self.budget.within(self.allowance(), scope, now));
        let known = (ALL + 1..40)
            .map(within)
            .filter(|(_, (limits, used))| *limits != Limits::default() || *used != Used::default());
        known.map(|(scope, (limits, used))| (scope, limits, used))
    }

    fn learned(&self, now: Tick) -> Option<u32> {
        self.used(now).learned_rpm
    }
}

/// Uses the key as often as it may be at `now`, at most `wanted` times.
fn use_up(budget: &mut Bench, now: Tick, wanted: u32) -> u32 {
    (0..wanted)
        .take_while(|_| budget.ready_at(now) <= now && budget.take(now, || midnight_after(now)) >= now)
        .map(|_| 1)
        .sum()
}
