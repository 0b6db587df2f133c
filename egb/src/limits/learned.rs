//! A limit that nobody gave: what the server's 429s say of it.

use std::num::NonZeroU32;
use std::time::Duration;

use super::MINUTE;
use super::tally::Tally;
use crate::clock::Tick;

/// After a try above the limit that failed, the next one waits so long, and twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(600);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);

/// How long the end of a call can have something to say of what happened while it ran.
const HEARD_FOR: Duration = Duration::from_secs(120);

/// What is known of a key's requests a minute.
///
/// At a 429 the key had as many calls in its window as it may have; those that were still running may or may
/// not be among them, and are added as they succeed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Learned {
    estimate: u32,
    /// What calls that were running at the last 429 can raise the estimate to.
    ceiling: u32,
    /// Calls that were running at the last 429, all of them begun by checkout `until`.
    running: u32,
    until: u64,
    /// The checkout that tries one call more than the estimate.
    probe: Option<u64>,
    /// Nothing is heard any more of the probe and of calls that are said to run.
    closes_at: Tick,
    next_probe: Tick,
    pause: Duration,
}

/// A 429, and what was going on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) serial: u64,
    /// The last checkout so far.
    pub(crate) latest: u64,
    /// Other calls with the key that are running.
    pub(crate) running: u32,
    pub(crate) retry_after: Option<Duration>,
}

impl Learned {
    pub(super) fn restored(estimate: u32) -> Self {
        Self {
            estimate,
            ceiling: estimate,
            running: 0,
            until: 0,
            probe: None,
            closes_at: Tick::ZERO,
            next_probe: Tick::ZERO,
            pause: FIRST_PAUSE,
        }
    }

    /// What may be used of it: never less than one.
    pub(super) fn limit(&self) -> NonZeroU32 {
        NonZeroU32::new(self.estimate).unwrap_or(NonZeroU32::MIN)
    }

    /// Whether ends of calls have something to say.
    pub(super) fn is_open(&self, now: Tick) -> bool {
        (self.running > 0 || self.probe.is_some()) && now < self.closes_at
    }

    pub(super) fn may_probe(&self, now: Tick) -> bool {
        !self.is_open(now) && self.next_probe <= now
    }

    pub(super) fn begin_probe(&mut self, serial: u64, now: Tick) {
        (self.probe, self.running) = (Some(serial), 0);
        self.closes_at = now.plus(HEARD_FOR);
    }

    /// A call ended well. Returns whether it was a probe.
    pub(super) fn succeeded(&mut self, serial: u64, tally: &Tally, now: Tick) -> bool {
        if self.ends(serial) {
            // A limit that is far off is found in steps.
            let step = (self.estimate / 16).max(1);
            self.estimate = self.estimate.saturating_add(step).max(tally.in_minute(now));
            self.pause = FIRST_PAUSE;
            return true;
        }
        if self.was_running(serial) {
            self.estimate = self.estimate.saturating_add(1).min(self.ceiling);
        }
        false
    }

    /// A call ended in another way than by success or 429.
    pub(super) fn ended(&mut self, serial: u64) {
        self.ends(serial);
        self.was_running(serial);
    }

    fn ends(&mut self, serial: u64) -> bool {
        let is_probe = self.is_probe(serial);
        if is_probe {
            self.probe = None;
        }
        is_probe
    }

    fn was_running(&mut self, serial: u64) -> bool {
        let was = self.running > 0 && serial <= self.until;
        self.running -= u32::from(was);
        was
    }

    pub(super) fn is_probe(&self, serial: u64) -> bool {
        self.probe == Some(serial)
    }

    /// The server refused a call. `None` when that says nothing of the minute.
    pub(super) fn refused(
        known: Option<Self>,
        tally: &Tally,
        refusal: Refusal,
        counted: Tick,
        now: Tick,
    ) -> Option<Self> {
        let used = tally.in_minute(counted);
        let oldest = tally.oldest(counted)?;
        // A server that lets the key back in long before its oldest call is a minute ago counts shorter windows.
        let leaves = oldest.plus(MINUTE).since(now);
        if refusal.retry_after.is_some_and(|asked| leaves > 4 * asked + Duration::from_secs(5)) {
            return None;
        }
        // One that keeps it out for longer than a minute takes to pass counts longer ones.
        if refusal.retry_after.is_some_and(|asked| asked > 2 * MINUTE) {
            return None;
        }
        let mut next = known.unwrap_or(Self { ceiling: u32::MAX, ..Self::restored(u32::MAX) });
        if next.ends(refusal.serial) {
            next.pause = (2 * next.pause).min(LONGEST_PAUSE);
        }
        // Calls that are refused together are one event.
        if !next.was_running(refusal.serial) {
            next.ceiling = next.estimate;
        }
        next.next_probe = now.plus(next.pause);
        next.estimate = used.saturating_sub(refusal.running).min(next.ceiling);
        next.running = refusal.running;
        next.until = refusal.latest;
        next.closes_at = now.plus(HEARD_FOR);
        Some(next)
    }
}
