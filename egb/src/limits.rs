//! What one key may do ([`Limits`]) and how much of it is used ([`Budget`]). Knows nothing of the
//! order of keys, nor of what a provider answers.

use std::num::NonZeroU32;
use std::time::Duration;

pub(crate) use self::day::Day;
pub(crate) use self::learned::Refusal;
pub(crate) use self::meter::Memory;
use self::meter::Meter;
pub(crate) use self::tally::Group;
pub(crate) use self::tokens::Spent;
use crate::clock::Tick;

mod day;
mod learned;
mod meter;
mod ring;
mod tally;
#[cfg(test)]
mod tests;
mod tokens;

/// What a provider allows one key, or all keys of one group together. A limit that is `None` doesn't exist;
/// the default is no limit.
///
/// egb uses a key only while it stays below all of its limits, whatever the provider would answer
/// above them.
///
/// ```
/// let limits = egb::Limits::default().with_rpm(10).with_concurrency(2);
/// assert_eq!(limits.rpm.unwrap().get(), 10);
/// assert_eq!(limits.rpd, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Limits {
    /// Calls in a minute: at most this many arrive at the server within any 60 seconds (the start
    /// included, the end not), as long as they take up to 180 milliseconds longer to get there than
    /// the quickest. Above 1,024 up to 0.4 % of the limit stays unused.
    pub rpm: Option<NonZeroU32>,
    /// Calls in a day, counted from midnight to midnight. One made in the last 180 milliseconds may
    /// count for the next day at the server, and one made in the first 10 for the day before here.
    pub rpd: Option<NonZeroU32>,
    /// Tokens in a minute. A call is charged what calls spent on average, and what it spent when it says so
    /// ([`Lease::spent`](crate::Lease::spent), [`Balancer::spent`](crate::Balancer::spent)); without that
    /// the limit has no effect.
    pub tpm: Option<NonZeroU32>,
    /// Calls that run at the same time.
    pub concurrency: Option<NonZeroU32>,
}

impl Limits {
    /// With so many requests a minute; 0 is no limit.
    #[must_use]
    pub fn with_rpm(self, requests: u32) -> Self {
        Self { rpm: NonZeroU32::new(requests), ..self }
    }

    /// With so many requests a day; 0 is no limit.
    #[must_use]
    pub fn with_rpd(self, requests: u32) -> Self {
        Self { rpd: NonZeroU32::new(requests), ..self }
    }

    /// With so many tokens a minute; 0 is no limit.
    #[must_use]
    pub fn with_tpm(self, tokens: u32) -> Self {
        Self { tpm: NonZeroU32::new(tokens), ..self }
    }

    /// With so many calls at once; 0 is no limit.
    #[must_use]
    pub fn with_concurrency(self, calls: u32) -> Self {
        Self { concurrency: NonZeroU32::new(calls), ..self }
    }

    /// Each limit that is not set here as it is there.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            rpm: self.rpm.or(others.rpm),
            rpd: self.rpd.or(others.rpd),
            tpm: self.tpm.or(others.tpm),
            concurrency: self.concurrency.or(others.concurrency),
        }
    }

    /// The lower of both, limit by limit.
    pub(crate) fn lower(self, other: Self) -> Self {
        fn lower(one: Option<NonZeroU32>, other: Option<NonZeroU32>) -> Option<NonZeroU32> {
            one.into_iter().chain(other).min()
        }
        Self {
            rpm: lower(self.rpm, other.rpm),
            rpd: lower(self.rpd, other.rpd),
            tpm: lower(self.tpm, other.tpm),
            concurrency: lower(self.concurrency, other.concurrency),
        }
    }
}

const MINUTE: Duration = Duration::from_mins(1);

/// Calls reach the server 20 to 200 ms after they got their key: two that are a minute apart here
/// may be this much closer there.
const JITTER: Duration = Duration::from_millis(180);

/// A use may have been so much later than it is booked: see [`Timeline::lately`](crate::clock::Timeline::lately).
const LAG: Duration = Duration::from_millis(10);

const WINDOW: Duration = MINUTE.saturating_add(JITTER).saturating_add(LAG);

/// All calls, of whatever scope.
const ALL: u32 = 0;

/// The limits of one key or group: for all its calls, and for those of some scopes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance<'a> {
    pub(crate) all: Limits,
    /// By scope.
    pub(crate) scopes: &'a [(u32, Limits)],
    /// Whether limits per minute that are not given are learned.
    pub(crate) learn: bool,
}

impl Allowance<'_> {
    fn of_scope(&self, scope: u32) -> Limits {
        let given = self.scopes.iter().find(|(given, _)| *given == scope);
        given.map(|(_, limits)| *limits).unwrap_or_default()
    }

    /// Whether the rate of calls of this scope is to be learned.
    fn learns(&self, scope: u32) -> bool {
        self.learn && self.all.rpm.is_none() && (scope == ALL || self.of_scope(scope).rpm.is_none())
    }
}

/// How much was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// Uses in the last minute; `None` when nothing counts them, as in what follows.
    pub(crate) in_minute: Option<u32>,
    /// The most of them that a minute had since the start.
    pub(crate) peak: Option<u32>,
    /// Uses since midnight.
    pub(crate) today: Option<u32>,
    /// Tokens in the last minute.
    pub(crate) tokens: Option<u64>,
    /// Requests a minute, as learned.
    pub(crate) learned_rpm: Option<u32>,
}

/// What one key, or one group of keys, used of its limits. One without limits, or that was not used since
/// the start, costs a pointer.
#[derive(Debug, Default)]
pub(crate) struct Budget(Option<Box<Ledger>>);

/// What counts all calls; what counts those of some scopes alone is with the rare things in it.
#[derive(Debug, Default)]
struct Ledger {
    all: Meter,
}

impl Ledger {
    /// What counts the calls of this scope, and for those of `ALL` all.
    #[inline]
    fn meter(&self, scope: u32) -> Option<&Meter> {
        if scope == ALL { Some(&self.all) } else { self.within(scope) }
    }

    #[inline]
    fn within(&self, scope: u32) -> Option<&Meter> {
        self.all.scopes().iter().find(|(of, _)| *of == scope).map(|(_, meter)| meter)
    }

    #[inline]
    fn meter_mut(&mut self, scope: u32) -> Option<&mut Meter> {
        if scope == ALL {
            return Some(&mut self.all);
        }
        self.all.scopes_mut().iter_mut().find(|(of, _)| *of == scope).map(|(_, meter)| meter)
    }
}

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
        let ledger = match &mut self.0 {
            Some(ledger) => ledger,
            None if allowance().learn => match self.learn(allowance(), scope) {
                Some(ledger) => ledger,
                None => return Tick::ZERO,
            },
            None => return Tick::ZERO,
        };
        let ready = ledger.all.take(serial, now, &day_end);
        if scope == ALL { ready } else { ready.max(ledger.take_within(allowance, scope, serial, now, day_end)) }
    }

    /// Begins to count, if that is what it takes to learn the rate of calls of this scope.
    #[cold]
    #[inline(never)]
    fn learn(&mut self, allowance: Allowance<'_>, scope: u32) -> Option<&mut Box<Ledger>> {
        allowance.learns(scope).then(|| self.0.get_or_insert_with(|| Box::new(Ledger::new(allowance))))
    }

    /// Uses for all calls that other processes made.
    pub(crate) fn take_others(&mut self, uses: u32, now: Tick, day_end: impl Fn() -> Tick) {
        if let Some(ledger) = &mut self.0 {
            ledger.all.take_others(uses, now, day_end);
        }
    }

    /// The first instant at which the key may be used in this scope; one that isn't after now means at once.
    #[inline]
    pub(crate) fn ready_at(&self, scope: u32) -> Tick {
        let Some(ledger) = &self.0 else { return Tick::ZERO };
        let ready = ledger.all.ready_at();
        if scope == ALL {
            return ready;
        }
        ready.max(ledger.within(scope).map_or(Tick::ZERO, Meter::ready_at))
    }

    /// Changes the limits. What was used stays used, as far as a limit counted it.
    pub(crate) fn set_limits(&mut self, allowance: Allowance<'_>) {
        let mut ledger = self.0.take().map(|ledger| *ledger).unwrap_or_default();
        ledger.all.set_limits(allowance.all, allowance.learns(ALL));
        ledger.all.change_scopes(|scopes| {
            for &(scope, _) in allowance.scopes {
                if !scopes.iter().any(|(known, _)| *known == scope) {
                    scopes.push((scope, Meter::default()));
                }
            }
            for (scope, meter) in scopes.iter_mut() {
                meter.set_limits(allowance.of_scope(*scope), allowance.learns(*scope));
            }
            scopes.retain(|(_, meter)| !meter.counts_nothing());
        });
        if !ledger.all.counts_nothing() || !ledger.all.scopes().is_empty() {
            self.0 = Some(Box::new(ledger));
        }
    }

    /// The server refused a call of this scope for its rate. Returns whether it was a probe of a learned limit.
    pub(crate) fn refused(&mut self, scope: u32, refusal: Refusal, now: Tick) -> bool {
        self.meter_mut(scope).is_some_and(|meter| meter.refused(refusal, now))
    }

    /// A call ended well. Returns whether it was a probe of a learned limit.
    pub(crate) fn succeeded(&mut self, scope: u32, serial: u64, now: Tick) -> bool {
        self.meter_mut(scope).is_some_and(|meter| meter.succeeded(serial, now))
    }

    /// A call ended in another way.
    pub(crate) fn ended(&mut self, scope: u32, serial: u64) {
        if let Some(meter) = self.meter_mut(scope) {
            meter.ended(serial);
        }
    }

    /// Whether the key could be used if its learned limit were one higher, and it is time to try that.
    pub(crate) fn may_probe(&self, scope: u32, now: Tick) -> bool {
        let Some(ledger) = &self.0 else { return false };
        let others_are_ready = scope == ALL || ledger.all.ready_at() <= now;
        others_are_ready && ledger.meter(scope).is_some_and(|meter| meter.may_probe(now))
    }

    pub(crate) fn begin_probe(&mut self, scope: u32, serial: u64, now: Tick) {
        if let Some(meter) = self.meter_mut(scope) {
            meter.begin_probe(serial, now);
        }
    }

    /// Whether ends of calls have something to say of a learned limit.
    pub(crate) fn is_open(&self, now: Tick) -> bool {
        let Some(ledger) = &self.0 else { return false };
        ledger.all.is_open(now) || ledger.all.scopes().iter().any(|(_, meter)| meter.is_open(now))
    }

    /// What the call of checkout `serial` spent.
    pub(crate) fn spent(&mut self, scope: u32, serial: u64, tokens: u64) {
        let Some(ledger) = &mut self.0 else { return };
        let correct =
            |meter: &mut Meter| meter.tokens_mut().into_iter().for_each(|known| known.correct(serial, tokens));
        correct(&mut ledger.all);
        if scope != ALL {
            ledger.meter_mut(scope).into_iter().for_each(correct);
        }
    }

    /// What the last call spent that has not said so, whatever its scope; if all have, one that `latest` stands for.
    pub(crate) fn spent_last(&mut self, latest: u64, tokens: u64, now: Tick) {
        let Some(ledger) = &mut self.0 else { return };
        let scoped = ledger.all.scopes().iter().map(|(scope, meter)| (*scope, meter));
        let meters = std::iter::once((ALL, &ledger.all)).chain(scoped);
        let unknown = meters.filter_map(|(scope, meter)| Some((meter.tokens()?.last_unknown()?, scope)));
        match (unknown.max(), ledger.all.tokens_mut()) {
            (Some((serial, scope)), _) => self.spent(scope, serial, tokens),
            (None, Some(known)) => known.add(latest, tokens, now),
            (None, None) => {}
        }
    }

    /// Whether anything that was used still counts.
    pub(crate) fn is_used(&self, now: Tick) -> bool {
        let Some(ledger) = &self.0 else { return false };
        ledger.all.is_used(now) || ledger.all.scopes().iter().any(|(_, meter)| meter.is_used(now))
    }

    /// Requests a minute of this scope, as learned.
    pub(crate) fn learned(&self, scope: u32) -> Option<u32> {
        self.0.as_ref()?.meter(scope)?.learned().map(NonZeroU32::get)
    }

    /// What was used of the limits for all calls.
    pub(crate) fn used(&self, now: Tick) -> Used {
        self.0.as_ref().map(|ledger| ledger.all.used(now)).unwrap_or_default()
    }

    /// The scopes that have limits of their own, given or learned, and what was used of them.
    pub(crate) fn scopes(&self, allowance: Allowance<'_>, now: Tick) -> impl Iterator<Item = (u32, Limits, Used)> {
        let scopes = self.0.iter().flat_map(|ledger| ledger.all.scopes());
        scopes.map(move |(scope, meter)| (*scope, allowance.of_scope(*scope), meter.used(now)))
    }

    /// What a restart has to know, by scope.
    pub(crate) fn memories(&self, now: Tick) -> Vec<(u32, Memory)> {
        let Some(ledger) = &self.0 else { return Vec::new() };
        let scopes = ledger.all.scopes().iter().map(|(scope, meter)| (*scope, meter));
        let all = std::iter::once((ALL, &ledger.all)).chain(scopes);
        all.map(|(scope, meter)| (scope, meter.memory(now))).collect()
    }

    /// Takes over what is known from before.
    pub(crate) fn remember(&mut self, allowance: Allowance<'_>, scope: u32, memory: &Memory) {
        let ledger = self.0.get_or_insert_with(|| Box::new(Ledger::new(allowance)));
        if ledger.meter_mut(scope).is_none() {
            ledger.add(allowance, scope);
        }
        if let Some(meter) = ledger.meter_mut(scope) {
            meter.remember(memory);
        }
    }

    fn meter_mut(&mut self, scope: u32) -> Option<&mut Meter> {
        self.0.as_mut().and_then(|ledger| ledger.meter_mut(scope))
    }
}

impl Ledger {
    fn new(allowance: Allowance<'_>) -> Self {
        let scopes =
            allowance.scopes.iter().map(|&(scope, limits)| (scope, Meter::new(limits, allowance.learns(scope))));
        let mut all = Meter::new(allowance.all, allowance.learns(ALL));
        all.change_scopes(|known| known.extend(scopes));
        Self { all }
    }

    /// As [`Budget::take`], of what counts the calls of a scope alone.
    #[inline(never)]
    fn take_within<'a>(
        &mut self,
        allowance: impl Fn() -> Allowance<'a>,
        scope: u32,
        serial: u64,
        now: Tick,
        day_end: impl Fn() -> Tick,
    ) -> Tick {
        let known = self.all.scopes().iter().position(|(of, _)| *of == scope);
        let place = known.or_else(|| if self.all.learns() { self.learn(allowance(), scope) } else { None });
        place.map_or(Tick::ZERO, |place| self.all.scopes_mut()[place].1.take(serial, now, day_end))
    }

    /// As [`Budget::learn`], beside what counts all calls. Returns the place of the new meter.
    #[cold]
    #[inline(never)]
    fn learn(&mut self, allowance: Allowance<'_>, scope: u32) -> Option<usize> {
        allowance.learns(scope).then(|| {
            self.add(allowance, scope);
            self.all.scopes().len() - 1
        })
    }

    fn add(&mut self, allowance: Allowance<'_>, scope: u32) {
        let meter = Meter::new(allowance.of_scope(scope), allowance.learns(scope));
        self.all.change_scopes(|scopes| {
            // Few keys are called in more scopes than the first that is seen: no more room than that takes.
            scopes.reserve_exact(1);
            scopes.push((scope, meter));
        });
    }
}
