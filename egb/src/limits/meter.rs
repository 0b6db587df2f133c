//! What one key, or one group of keys, has used in one scope, against all limits of that.

use std::num::NonZeroU32;

use super::day::{Daily, Day};
use super::learned::{Learned, Refusal};
use super::tally::{Group, Tally};
use super::tokens::{Spent, Tokens};
use super::{Limits, Used};
use crate::clock::Tick;

/// In the order in which it is used: what each use reads and writes lies together. The limits are beside what is
/// counted against them.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Meter {
    tally: Option<Tally>,
    /// What the tally is compared with: a limit per minute that was given, or what was learned of one.
    rpm: Option<NonZeroU32>,
    /// Whether a limit per minute is to be learned, as none is given.
    learns: bool,
    day: Option<Daily>,
    /// Boxed, as most keys have no limit on tokens.
    tokens: Option<Box<Tokens>>,
    /// Boxed, as most keys never meet a limit that was not given.
    learned: Option<Box<Learned>>,
}

impl Meter {
    pub(super) fn new(limits: Limits, learns: bool) -> Self {
        let mut meter = Self::default();
        meter.set_limits(limits, learns);
        meter
    }

    /// What was used stays used, as far as a limit counted it.
    pub(super) fn set_limits(&mut self, limits: Limits, learns: bool) {
        self.learns = learns && limits.rpm.is_none();
        self.learned = self.learned.take().filter(|_| self.learns);
        let tally = self.tally.take();
        self.tally = match limits.rpm {
            Some(rpm) => Some(tally.unwrap_or_else(|| Tally::with_room(rpm.get()))),
            None => tally.filter(|_| self.learns),
        };
        self.rpm = limits.rpm.or(self.learned());
        self.day = limits.rpd.map(|rpd| self.day.map_or(Daily::new(rpd), |day| day.with_limit(rpd)));
        self.tokens = limits.tpm.map(|tpm| {
            let mut tokens = self.tokens.take().unwrap_or_else(|| Box::new(Tokens::new(tpm)));
            tokens.set_limit(tpm);
            tokens
        });
    }

    #[inline]
    pub(super) fn learns(&self) -> bool {
        self.learns
    }

    pub(super) fn counts_nothing(&self) -> bool {
        self.tally.is_none() && self.day.is_none() && self.tokens.is_none()
    }

    /// Records a use. Returns what [`ready_at`](Self::ready_at) says after it.
    #[expect(clippy::inline_always, reason = "half as much to do as in a function of its own")]
    #[inline(always)]
    pub(super) fn take(&mut self, serial: u64, now: Tick, day_end: impl FnOnce() -> Tick) -> Tick {
        let mut ready = Tick::ZERO;
        if self.tally.is_none() && self.learns {
            self.tally = Some(Tally::default());
        }
        if let Some(tally) = &mut self.tally {
            tally.record(serial, now);
            ready = self.rpm.map_or(Tick::ZERO, |rpm| tally.ready_at(rpm.get()));
        }
        if let Some(day) = &mut self.day {
            day.record(1, now, day_end);
            ready = ready.max(day.ready_at());
        }
        if let Some(tokens) = &mut self.tokens {
            ready = ready.max(tokens.charge(serial, now));
        }
        ready
    }

    /// Uses that were made by other processes.
    pub(super) fn take_others(&mut self, uses: u32, now: Tick, day_end: impl FnOnce() -> Tick) {
        if let Some(tally) = &mut self.tally {
            tally.add(Group { at: now, uses, serial: 0 });
        }
        if let Some(day) = &mut self.day {
            day.record(uses, now, day_end);
        }
    }

    #[inline]
    pub(super) fn ready_at(&self) -> Tick {
        let minute = match (&self.tally, self.rpm) {
            (Some(tally), Some(rpm)) => tally.ready_at(rpm.get()),
            _ => Tick::ZERO,
        };
        minute.max(self.ready_but_for_what_was_learned())
    }

    /// As [`ready_at`](Self::ready_at), if there were no learned limit.
    #[inline]
    fn ready_but_for_what_was_learned(&self) -> Tick {
        let day = self.day.as_ref().map_or(Tick::ZERO, Daily::ready_at);
        let tokens = self.tokens.as_deref().map_or(Tick::ZERO, Tokens::ready_at);
        day.max(tokens)
    }

    /// Whether a call may try how far the learned limit can be trusted.
    pub(super) fn may_probe(&self, now: Tick) -> bool {
        self.learned.as_ref().is_some_and(|learned| learned.may_probe(now))
            && self.ready_but_for_what_was_learned() <= now
    }

    pub(super) fn begin_probe(&mut self, serial: u64, now: Tick) {
        if let Some(learned) = &mut self.learned {
            learned.begin_probe(serial, now);
        }
    }

    /// Requests a minute, as learned.
    pub(super) fn learned(&self) -> Option<NonZeroU32> {
        self.learned.as_ref().map(|learned| learned.limit())
    }

    /// See [`Learned::is_open`].
    pub(super) fn is_open(&self, now: Tick) -> bool {
        self.learned.as_ref().is_some_and(|learned| learned.is_open(now))
    }

    pub(super) fn succeeded(&mut self, serial: u64, now: Tick) -> bool {
        let (Some(learned), Some(tally)) = (&mut self.learned, &self.tally) else { return false };
        let was_probe = learned.succeeded(serial, tally, now);
        self.rpm = self.learned();
        was_probe
    }

    pub(super) fn ended(&mut self, serial: u64) {
        if let Some(learned) = &mut self.learned {
            learned.ended(serial);
        }
    }

    /// The server refused a call for its rate. Returns whether it was a probe.
    pub(super) fn refused(&mut self, refusal: Refusal, now: Tick) -> bool {
        let Some(tally) = self.tally.as_mut().filter(|_| self.learns) else { return false };
        let was_probe = self.learned.as_ref().is_some_and(|learned| learned.is_probe(refusal.serial));
        // When the server counted is more like when the call began than when its answer is here.
        let counted = tally.time_of(refusal.serial, refusal.latest).unwrap_or(now);
        tally.take_back();
        match Learned::refused(self.learned.as_deref().copied(), tally, refusal, counted, now) {
            Some(learned) => self.learned = Some(Box::new(learned)),
            None => self.ended(refusal.serial),
        }
        self.rpm = self.learned();
        was_probe
    }

    pub(super) fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_deref()
    }

    pub(super) fn tokens_mut(&mut self) -> Option<&mut Tokens> {
        self.tokens.as_deref_mut()
    }

    /// Whether anything that was used still counts.
    pub(super) fn is_used(&self, now: Tick) -> bool {
        let used = self.used(now);
        used.in_minute.is_some_and(|uses| uses > 0)
            || used.today.is_some_and(|uses| uses > 0)
            || used.tokens.is_some_and(|tokens| tokens > 0)
            || self.learned.is_some()
    }

    pub(super) fn used(&self, now: Tick) -> Used {
        Used {
            in_minute: self.tally.as_ref().map(|tally| tally.in_minute(now)),
            peak: self.tally.as_ref().map(Tally::peak),
            today: self.day.as_ref().map(|day| day.used(now)),
            tokens: self.tokens.as_ref().map(|tokens| tokens.in_window(now)),
            learned_rpm: self.learned().map(NonZeroU32::get),
        }
    }

    /// What a restart has to know.
    pub(super) fn memory(&self, now: Tick) -> Memory {
        let counted = self.tally.iter().filter(|_| self.rpm.is_some());
        let mut groups: Vec<Group> = counted.flat_map(|tally| tally.recent(now)).collect();
        groups.reverse();
        Memory {
            groups,
            day: self.day.as_ref().and_then(|day| day.memory(now)),
            learned: self.learned().map(NonZeroU32::get),
            tokens: self.tokens.as_ref().and_then(|tokens| tokens.memory(now)),
        }
    }

    /// Takes over what is known from before, where a limit counts it and it counts for more.
    pub(super) fn remember(&mut self, memory: &Memory) {
        if self.learns {
            self.tally.get_or_insert_default();
        }
        if let Some(tally) = &mut self.tally {
            memory.groups.iter().for_each(|group| tally.add(*group));
        }
        if let (Some(day), Some(before)) = (&mut self.day, memory.day) {
            day.remember(before);
        }
        if let (Some(tokens), Some(before)) = (&mut self.tokens, &memory.tokens) {
            tokens.remember(before);
        }
        if self.learns {
            let known = self.learned.take();
            self.learned = known.or_else(|| memory.learned.map(|rpm| Box::new(Learned::restored(rpm))));
            self.rpm = self.learned();
        }
    }
}

/// What a meter knows that outlives the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Uses of the last minute, oldest first.
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
