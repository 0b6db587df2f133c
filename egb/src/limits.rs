//! What one key may do ([`Limits`]); how much of it is used, a [`Budget`] knows. Knows nothing of the
//! order of keys, nor of what a provider answers.

use std::num::NonZeroU32;
use std::time::Duration;

pub(crate) use self::budget::Budget;
pub(crate) use self::day::Day;
pub(crate) use self::learned::Refusal;
pub(crate) use self::meter::Memory;
pub(crate) use self::tally::Group;
pub(crate) use self::tokens::{Charge, Spent, Which};

mod budget;
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
/// above them. What other processes on the same database use is known half a second later, [`concurrency`](Self::concurrency)
/// counts in each process for itself, and [`tpm`](Self::tpm) holds on average.
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
    /// the limit has no effect, and calls that begin before the first one has said it are charged nothing.
    pub tpm: Option<NonZeroU32>,
    /// Calls that run at the same time, in this process.
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

    /// Whether a use counts against any of them: calls that run at the same time are counted by who runs them.
    fn count_uses(&self) -> bool {
        self.rpm.is_some() || self.rpd.is_some() || self.count_tokens()
    }

    fn count_tokens(&self) -> bool {
        self.tpm.is_some()
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

    /// Whether a budget under it counts anything. One that doesn't is not worth asking.
    pub(crate) fn counts_anything(&self) -> bool {
        self.learn || self.gives(Limits::count_uses)
    }

    /// Whether such limits are given, for all calls or for those of some scope.
    fn gives(&self, limits: impl Fn(&Limits) -> bool) -> bool {
        limits(&self.all) || self.scopes.iter().any(|(_, given)| limits(given))
    }

    /// Whether calls of this scope, and for `ALL` all, are counted apart.
    fn counts(&self, scope: u32) -> bool {
        let limits = if scope == ALL { self.all } else { self.of_scope(scope) };
        limits.count_uses() || self.learns(scope)
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
