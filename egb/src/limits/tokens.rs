//! Tokens a minute: what a call spends is known after it, so each is charged an estimate first.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use super::WINDOW;
use crate::clock::Tick;

/// Calls that are kept apart; of more, the oldest are added up.
const MAX_CALLS: usize = 4096;

/// No call counts for more, which is above any limit: a number that a server made up must not go beyond all bounds.
const MOST: u64 = u32::MAX as u64;

/// What calls of the last minute spent.
#[derive(Debug)]
pub(super) struct Tokens {
    limit: NonZeroU32,
    /// Oldest first.
    calls: VecDeque<Call>,
    total: u64,
    /// What a call spends on average: a moving average of those that said so.
    average: Option<f64>,
}

/// What outlives the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spent {
    /// What a call spends on average.
    pub(crate) average: u64,
    /// Oldest first.
    pub(crate) calls: Vec<(Tick, u64)>,
}

/// One of the charges of a checkout: several of its keys may share what is counted here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charge {
    pub(crate) serial: u64,
    pub(crate) which: Which,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    /// The one that has so many before it.
    Nth(usize),
    /// The first that is an estimate.
    Unknown,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    at: Tick,
    /// The checkout.
    serial: u64,
    tokens: u64,
    /// Whether `tokens` is what the call said, rather than the estimate.
    is_known: bool,
}

impl Tokens {
    pub(super) fn new(limit: NonZeroU32) -> Self {
        Self { limit, calls: VecDeque::new(), total: 0, average: None }
    }

    /// What was spent stays spent.
    pub(super) fn set_limit(&mut self, limit: NonZeroU32) {
        self.limit = limit;
    }

    /// What a call is thought to spend.
    fn estimate(&self) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
        self.average.map_or(0, |average| average.ceil() as u64)
    }

    /// Charges a checkout with the estimate. Returns what [`ready_at`](Self::ready_at) says after it.
    #[inline(never)]
    pub(super) fn charge(&mut self, serial: u64, now: Tick) -> Tick {
        self.forget(now);
        let tokens = self.estimate();
        self.push(Call { at: now, serial, tokens, is_known: false });
        self.ready_at()
    }

    fn push(&mut self, call: Call) {
        self.total += call.tokens;
        self.calls.push_back(call);
        if self.calls.len() > MAX_CALLS
            && let Some(oldest) = self.calls.pop_front()
            && let Some(next) = self.calls.front_mut()
        {
            next.tokens += oldest.tokens;
        }
    }

    fn forget(&mut self, now: Tick) {
        while let Some(oldest) = self.calls.front().filter(|oldest| oldest.at.plus(WINDOW) <= now) {
            self.total -= oldest.tokens;
            self.calls.pop_front();
        }
    }

    /// A checkout says what it spent, perhaps for the second time: the last word counts.
    /// One that is no longer known of began too long ago to count.
    pub(super) fn correct(&mut self, Charge { serial, which }: Charge, spent: u64) {
        let spent = spent.min(MOST);
        let first = self.calls.partition_point(|call| call.serial < serial);
        let mut calls = self.calls.range_mut(first..).take_while(|call| call.serial == serial);
        let call = match which {
            Which::Nth(nth) => calls.nth(nth),
            Which::Unknown => calls.find(|call| !call.is_known),
        };
        if let Some(call) = call {
            self.total = self.total - call.tokens + spent;
            (call.tokens, call.is_known) = (spent, true);
        }
        self.learn(spent);
    }

    /// The last checkout that has not said what it spent.
    pub(super) fn last_unknown(&self) -> Option<u64> {
        self.calls.iter().rev().find(|call| !call.is_known).map(|call| call.serial)
    }

    /// A call of which nothing was known.
    pub(super) fn add(&mut self, serial: u64, spent: u64, now: Tick) {
        let spent = spent.min(MOST);
        self.push(Call { at: now, serial, tokens: spent, is_known: true });
        self.learn(spent);
    }

    fn learn(&mut self, spent: u64) {
        /// The part that the last call has in the average.
        const NEWEST: f64 = 0.125;
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let spent = spent as f64;
        self.average = Some(self.average.map_or(spent, |average| average + NEWEST * (spent - average)));
    }

    /// The first instant at which another call fits in. One that is larger than the limit itself fits into an
    /// empty minute.
    #[inline(never)]
    pub(super) fn ready_at(&self) -> Tick {
        let room = u64::from(self.limit.get()).saturating_sub(self.estimate());
        let mut left = self.total;
        let mut ready = Tick::ZERO;
        for call in &self.calls {
            if left <= room {
                break;
            }
            left -= call.tokens;
            ready = call.at.plus(WINDOW);
        }
        ready
    }

    /// What a restart has to know; `None` when nothing was spent.
    pub(super) fn memory(&self, now: Tick) -> Option<Spent> {
        let counts = |call: &&Call| call.at.plus(WINDOW) > now && call.tokens > 0;
        let calls: Vec<_> = self.calls.iter().filter(counts).map(|call| (call.at, call.tokens)).collect();
        let average = self.estimate();
        (average > 0 || !calls.is_empty()).then_some(Spent { average, calls })
    }

    /// Takes over what was spent before.
    pub(super) fn remember(&mut self, spent: &Spent) {
        let first = self.calls.front().map_or(Tick(u64::MAX), |call| call.at);
        for &(at, tokens) in spent.calls.iter().rev().take(MAX_CALLS.saturating_sub(self.calls.len())) {
            // A damaged database may hold any number.
            let tokens = tokens.min(MOST);
            self.total += tokens;
            self.calls.push_front(Call { at: at.min(first), serial: 0, tokens, is_known: true });
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        self.average.get_or_insert(spent.average.min(MOST) as f64);
    }

    /// Tokens of the window that ends at `now`.
    pub(super) fn in_window(&self, now: Tick) -> u64 {
        let counts = |call: &&Call| call.at.plus(WINDOW) > now;
        self.calls.iter().filter(counts).map(|call| call.tokens).sum()
    }
}
