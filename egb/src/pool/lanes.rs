//! One lane a scope: the order in which the keys are used within it, and who waits for one. Lane 0 is
//! that of calls without a scope.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::task::Waker;

use super::Wanted;
use super::lessons::Probes;
use super::weather::Weather;
use crate::clock::Tick;
use crate::schedule::{Schedule, SlotId};

/// The number of a lane.
pub(crate) type ScopeId = u32;

/// Calls without a scope.
pub(crate) const NO_SCOPE: ScopeId = 0;

/// What to do with a waker once the lock is free. It is code of others, its drop as well, and may look at the pool.
pub(super) enum AfterLock {
    Wake(Waker),
    /// Its caller waits no longer, or with another one.
    Drop(Waker),
}

impl AfterLock {
    pub(super) fn run(self) {
        match self {
            Self::Wake(waker) => waker.wake(),
            Self::Drop(waker) => drop(waker),
        }
    }

    fn wake(caller: &Caller) -> Self {
        Self::Wake(caller.waker.clone())
    }
}

pub(super) struct Lane {
    pub(super) name: Arc<str>,
    pub(super) schedule: Schedule,
    pub(super) queue: Queue,
    pub(super) probes: Probes,
    pub(super) weather: Weather,
}

impl Lane {
    pub(super) fn new(name: Arc<str>, seed: u64) -> Self {
        Self {
            name,
            schedule: Schedule::new(seed),
            queue: Queue::default(),
            probes: Probes::default(),
            weather: Weather::default(),
        }
    }

    /// Whether all keys that are free belong to those who wait for them.
    #[inline]
    pub(super) fn is_spoken_for(&self) -> bool {
        self.queue.wanted > 0 && self.queue.wanted >= self.schedule.queued_len()
    }

    /// The key whose turn it is, if nobody waits for one and it takes no search.
    #[inline]
    pub(super) fn at_hand(&self, now: Tick) -> Option<SlotId> {
        if self.queue.is_awaited() { None } else { self.schedule.at_hand(now) }
    }

    /// Whether it is the turn of this caller; without a ticket, of one who comes now.
    pub(super) fn is_turn(&self, choosy: bool, ticket: Option<Ticket>, now: Tick) -> bool {
        let Self { schedule, queue, .. } = self;
        if queue.side(choosy).is_empty() || ticket.is_some_and(|ticket| queue.is_first(ticket)) {
            return true;
        }
        // What comes back by now is for the first to look at.
        choosy
            && schedule.next_due().is_none_or(|due| due > now)
            && queue.called.is_none_or(|called| ticket.is_some_and(|ticket| ticket.number <= called))
    }

    /// A key came free, or the pool changed: those whose turn it is are to look, be it only for when to look next.
    pub(super) fn call(&mut self, woken: &mut Vec<AfterLock>) {
        woken.extend(self.queue.firsts().map(AfterLock::wake));
        if !self.queue.choosy.is_empty() {
            self.call_choosy(0, woken);
        }
    }

    /// A caller looked in vain; the key that it was woken for may do for another.
    pub(super) fn looked(&mut self, ticket: Ticket, woken: &mut Vec<AfterLock>) {
        woken.extend(self.queue.replaced.take().map(AfterLock::Drop));
        if ticket.choosy && (self.queue.is_called(ticket) || self.queue.is_first(ticket)) {
            self.call_choosy(ticket.number, woken);
        }
    }

    /// A caller got its key or waits no longer: the next one has its turn.
    pub(super) fn leave(&mut self, ticket: Ticket, woken: &mut Vec<AfterLock>) {
        let (was_first, was_called) = (self.queue.is_first(ticket), self.queue.is_called(ticket));
        let gone = self.queue.remove(ticket);
        if was_first {
            woken.extend(self.queue.side(ticket.choosy).values().next().map(AfterLock::wake));
        }
        if ticket.choosy && (was_first || was_called) {
            self.call_choosy(ticket.number, woken);
        }
        woken.extend(gone.map(|gone| AfterLock::Drop(gone.waker)));
    }

    /// Wakes the next of the choosy callers after a number for which a key is free. The others get their turn from
    /// that one: of a thousand not all wake up for one key.
    fn call_choosy(&mut self, after: u64, woken: &mut Vec<AfterLock>) {
        /// Callers that are looked at; the last of them goes on.
        const AT_ONCE: usize = 1_024;
        let Self { schedule, queue, .. } = self;
        let has_key = |caller: &Caller| {
            let tried = caller.excluded.iter().filter(|id| schedule.is_queued(**id)).count();
            schedule.queued_len() >= caller.count.saturating_add(tried)
        };
        let mut found = None;
        if schedule.queued_len() > 0 {
            let next = queue.choosy.range(after + 1..).take(AT_ONCE).enumerate();
            found = next.filter(|(at, (_, caller))| at + 1 == AT_ONCE || has_key(caller)).map(|(_, next)| next).next();
        }
        queue.called = found.map(|(&number, _)| number);
        woken.extend(found.map(|(_, caller)| AfterLock::wake(caller)));
    }
}

/// The place of a caller in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    number: u64,
    choosy: bool,
}

/// More keys than any pool.
const NOBODY_HAS: usize = 1 << 24;

/// One that waits.
struct Caller {
    waker: Waker,
    count: usize,
    excluded: Vec<SlotId>,
}

/// Callers that wait for keys, in the order in which they came. The first in line tries when a key comes
/// free, the others when those before them have got theirs or gone.
#[derive(Default)]
pub(super) struct Queue {
    in_line: BTreeMap<u64, Caller>,
    /// Keys that those in line want.
    wanted: usize,
    /// Those that need a key other than some: they hold none of the others up.
    choosy: BTreeMap<u64, Caller>,
    /// Whose turn it is of those, as long as there is a key that some of them might take.
    called: Option<u64>,
    last: u64,
    /// The waker that a caller had before it joined again. For [`Lane::looked`], which follows.
    replaced: Option<Waker>,
}

impl Queue {
    /// Whether those in line want any key.
    #[inline]
    pub(super) fn is_awaited(&self) -> bool {
        self.wanted > 0
    }

    /// Whether anybody waits.
    pub(super) fn has_anybody(&self) -> bool {
        !self.in_line.is_empty() || !self.choosy.is_empty()
    }

    /// Whether it is the one that has to look when the next key comes back.
    pub(super) fn is_first(&self, ticket: Ticket) -> bool {
        self.side(ticket.choosy).first_key_value().is_some_and(|(&first, _)| first == ticket.number)
    }

    fn is_called(&self, ticket: Ticket) -> bool {
        self.called == Some(ticket.number)
    }

    /// Lets a caller wait; one with a ticket keeps its place.
    pub(super) fn join(&mut self, ticket: Option<Ticket>, wanted: &Wanted<'_>, waker: &Waker) -> Ticket {
        let choosy = !wanted.excluded.is_empty();
        let ticket = ticket.unwrap_or_else(|| {
            self.last += 1;
            Ticket { number: self.last, choosy }
        });
        let side = if choosy { &mut self.choosy } else { &mut self.in_line };
        if let Some(known) = side.get_mut(&ticket.number) {
            if !known.waker.will_wake(waker) {
                self.replaced = Some(mem::replace(&mut known.waker, waker.clone()));
            }
            return ticket;
        }
        // What nobody can have is refused in a moment, and must not take the counts of others along.
        let (count, excluded) = (wanted.count.min(NOBODY_HAS), wanted.excluded.to_vec());
        side.insert(ticket.number, Caller { waker: waker.clone(), count, excluded });
        if !choosy {
            self.wanted = self.wanted.saturating_add(count);
        }
        ticket
    }

    fn remove(&mut self, ticket: Ticket) -> Option<Caller> {
        if ticket.choosy {
            return self.choosy.remove(&ticket.number);
        }
        let caller = self.in_line.remove(&ticket.number)?;
        self.wanted = self.wanted.saturating_sub(caller.count);
        Some(caller)
    }

    fn side(&self, choosy: bool) -> &BTreeMap<u64, Caller> {
        if choosy { &self.choosy } else { &self.in_line }
    }

    /// The first of each side.
    fn firsts(&self) -> impl Iterator<Item = &Caller> {
        [&self.in_line, &self.choosy].into_iter().filter_map(|side| side.values().next())
    }
}
