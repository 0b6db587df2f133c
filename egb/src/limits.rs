//! What one key may do ([`Limits`]) and how much of it is used ([`Budget`]). Knows nothing of the
//! order of keys, nor of what a provider answers.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::clock::Tick;

#[cfg(test)]
mod tests;

/// What a provider allows one key. A limit that is `None` doesn't exist; the default is no limit.
///
/// egb uses a key only while it stays below all of its limits, whatever the provider would answer
/// above them.
///
/// ```
/// use std::num::NonZeroU32;
///
/// let mut limits = egb::Limits::default();
/// limits.rpm = NonZeroU32::new(10);
/// limits.concurrency = NonZeroU32::new(2);
/// assert_eq!(limits.rpd, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Limits {
    /// Calls in a minute: at most this many arrive at the server within any 60 seconds (the start
    /// included, the end not), as long as they take up to 180 milliseconds longer to get there than
    /// the quickest. Above 1,024 up to 0.2 % of the limit stays unused.
    pub rpm: Option<NonZeroU32>,
    /// Calls in a day, counted from midnight to midnight. One made in the last 180 milliseconds may
    /// count for the next day at the server.
    pub rpd: Option<NonZeroU32>,
    /// Calls that run at the same time.
    pub concurrency: Option<NonZeroU32>,
}

const MINUTE: Duration = Duration::from_mins(1);

/// Calls reach the server 20 to 200 ms after they got their key: two that are a minute apart here
/// may be this much closer there.
const JITTER: Duration = Duration::from_millis(180);

const WINDOW: Duration = MINUTE.saturating_add(JITTER);

/// Times of use that are kept of one key.
const MAX_LOG: u32 = 1024;

/// The uses of one key that count against its limits per minute and day. A key without such limits
/// costs a pointer.
#[derive(Debug, Default)]
pub(crate) struct Budget(Option<Box<Ledger>>);

#[derive(Debug, Default)]
struct Ledger {
    minute: Option<Log>,
    day: Option<Day>,
}

impl Budget {
    #[cfg(test)]
    pub(crate) fn new(limits: Limits) -> Self {
        let mut budget = Self::default();
        budget.set_limits(limits);
        budget
    }

    /// Records a use. `day_end` is asked for the next midnight at the first use of a day.
    ///
    /// Returns the first instant at which the key may be used again; one that isn't after `now` means
    /// at once. A use before that instant is recorded all the same.
    pub(crate) fn take(&mut self, now: Tick, day_end: impl FnOnce() -> Tick) -> Tick {
        let Some(ledger) = &mut self.0 else { return now };
        if let Some(log) = &mut ledger.minute {
            log.record(now);
        }
        if let Some(day) = &mut ledger.day {
            day.record(now, day_end);
        }
        self.ready_at(now)
    }

    /// The first instant at which the key may be used; one that isn't after `now` means at once.
    pub(crate) fn ready_at(&self, now: Tick) -> Tick {
        let Some(ledger) = &self.0 else { return now };
        let minute = ledger.minute.as_ref().map_or(now, |log| log.ready_at().max(now));
        let day = ledger.day.as_ref().map_or(now, |day| day.ready_at(now));
        minute.max(day)
    }

    /// Changes the limits. What was used stays used, as far as a limit counted it: a lower one
    /// forgets older uses than it needs.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        let Ledger { minute, day } = self.0.take().map(|ledger| *ledger).unwrap_or_default();
        let ledger = Ledger {
            minute: limits.rpm.map(|limit| match minute {
                Some(log) => log.with_limit(limit),
                None => Log::new(limit),
            }),
            day: limits.rpd.map(|limit| Day { limit, ..day.unwrap_or(Day::new(limit)) }),
        };
        if ledger.minute.is_some() || ledger.day.is_some() {
            self.0 = Some(Box::new(ledger));
        }
    }

    /// Whether anything that was used still counts.
    pub(crate) fn is_used(&self, now: Tick) -> bool {
        self.used_in_minute(now).is_some_and(|used| used > 0) || self.used_today(now).is_some_and(|used| used > 0)
    }

    /// Uses in the last minute; `None` when no limit counts them.
    pub(crate) fn used_in_minute(&self, now: Tick) -> Option<u32> {
        self.0.as_ref()?.minute.as_ref().map(|log| log.used_in_minute(now))
    }

    /// Uses since midnight; `None` when no limit counts them.
    pub(crate) fn used_today(&self, now: Tick) -> Option<u32> {
        self.0.as_ref()?.day.as_ref().map(|day| day.used(now))
    }
}

/// The last uses, as many as are allowed in a window: the next use has to wait until the oldest of
/// them has left the window. That is exact, where counters per fixed minute let up to twice the limit
/// through.
///
/// A limit above [`MAX_LOG`] is kept in groups of uses, and a group counts until its last use
/// has left the window. Never more than the limit passes, and all of it if uses come at once.
#[derive(Debug)]
struct Log {
    /// The last use of each group, oldest first; only the newest group may be incomplete.
    groups: VecDeque<Tick>,
    max_groups: u32,
    group_size: u32,
    /// Uses in the newest group.
    filled: u32,
}

impl Log {
    fn new(limit: NonZeroU32) -> Self {
        let group_size = limit.get().div_ceil(MAX_LOG);
        let max_groups = limit.get() / group_size;
        Self { groups: VecDeque::with_capacity(max_groups as usize), max_groups, group_size, filled: group_size }
    }

    fn is_full(&self) -> bool {
        self.groups.len() == self.max_groups as usize
    }

    fn record(&mut self, now: Tick) {
        // A thread that read the clock earlier may get here later.
        let now = self.groups.back().map_or(now, |&newest| newest.max(now));
        if self.filled < self.group_size {
            self.groups.pop_back();
            self.filled += 1;
        } else {
            if self.is_full() {
                self.groups.pop_front();
            }
            self.filled = 1;
        }
        self.groups.push_back(now);
    }

    fn ready_at(&self) -> Tick {
        match self.groups.front() {
            Some(&oldest) if self.is_full() && self.filled == self.group_size => oldest.plus(WINDOW),
            _ => Tick::ZERO,
        }
    }

    /// The same uses under another limit; its groups are made anew, from the newest use back.
    fn with_limit(&self, limit: NonZeroU32) -> Self {
        let mut log = Self::new(limit);
        // Use number `n`, counted back from 0, the newest; the uses of a group count as one instant.
        let at = |n: u64| {
            let group = (n + u64::from(self.group_size - self.filled)) / u64::from(self.group_size);
            let index = self.groups.len().checked_sub(usize::try_from(group).ok()? + 1)?;
            self.groups.get(index).copied()
        };
        let uses = (0..u64::from(log.max_groups)).map_while(|group| at(group * u64::from(log.group_size)));
        for newest in uses {
            log.groups.push_front(newest);
        }
        log
    }

    fn used_in_minute(&self, now: Tick) -> u32 {
        let old = self.groups.partition_point(|&at| at.plus(MINUTE) <= now);
        let recent = u32::try_from(self.groups.len() - old).unwrap_or(u32::MAX);
        match recent.checked_sub(1) {
            Some(complete) => complete * self.group_size + self.filled,
            None => 0,
        }
    }
}

/// A counter that starts anew at midnight.
#[derive(Clone, Copy, Debug)]
struct Day {
    limit: NonZeroU32,
    used: u32,
    end: Tick,
}

impl Day {
    fn new(limit: NonZeroU32) -> Self {
        Self { limit, used: 0, end: Tick::ZERO }
    }

    fn used(&self, now: Tick) -> u32 {
        if now < self.end { self.used } else { 0 }
    }

    fn record(&mut self, now: Tick, day_end: impl FnOnce() -> Tick) {
        if now >= self.end {
            *self = Self { used: 0, end: day_end(), ..*self };
        }
        self.used = self.used.saturating_add(1);
    }

    fn ready_at(&self, now: Tick) -> Tick {
        if self.used >= self.limit.get() { self.end.max(now) } else { now }
    }
}
