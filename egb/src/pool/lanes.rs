//! One lane a scope: the order in which the keys are used within it, and who waits for one. Lane 0 is
//! that of calls without a scope.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use super::quota::Probes;
use super::weather::Weather;
use crate::schedule::Schedule;

/// The number of a lane.
pub(crate) type ScopeId = u32;

/// Calls without a scope.
pub(crate) const NO_SCOPE: ScopeId = 0;

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
        !self.queue.in_line.is_empty() && self.queue.in_line.len() >= self.schedule.queued_len()
    }
}

/// The place of a caller in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    number: u64,
    choosy: bool,
}

/// Callers that wait for a key, in the order in which they came. The first in line tries when a key comes
/// free, the others when those before them have got theirs or gone.
#[derive(Default)]
pub(super) struct Queue {
    in_line: BTreeMap<u64, Waker>,
    /// Those that need a key other than some: they hold nobody up and try whenever a key comes free.
    choosy: BTreeMap<u64, Waker>,
    last: u64,
}

impl Queue {
    /// Whether it is the turn of this caller; without a ticket, of one who comes now.
    pub(super) fn is_turn(&self, ticket: Option<Ticket>) -> bool {
        match ticket {
            None => self.in_line.is_empty(),
            Some(ticket) if ticket.choosy => true,
            Some(ticket) => self.in_line.first_key_value().is_some_and(|(&first, _)| first == ticket.number),
        }
    }

    /// Lets a caller wait; one with a ticket keeps its place.
    pub(super) fn join(&mut self, ticket: Option<Ticket>, choosy: bool, waker: &Waker) -> Ticket {
        let ticket = ticket.unwrap_or_else(|| {
            self.last += 1;
            Ticket { number: self.last, choosy }
        });
        let side = if ticket.choosy { &mut self.choosy } else { &mut self.in_line };
        side.entry(ticket.number).and_modify(|known| known.clone_from(waker)).or_insert_with(|| waker.clone());
        ticket
    }

    /// A caller got its key or waits no longer: the next one has its turn.
    pub(super) fn leave(&mut self, ticket: Ticket, woken: &mut Vec<Waker>) {
        if ticket.choosy {
            self.choosy.remove(&ticket.number);
            return;
        }
        let was_first = self.is_turn(Some(ticket));
        self.in_line.remove(&ticket.number);
        if was_first {
            woken.extend(self.in_line.values().next().cloned());
        }
    }

    /// A key came free, or the pool changed: those whose turn it is are to look.
    pub(super) fn call(&self, woken: &mut Vec<Waker>) {
        woken.extend(self.choosy.values().chain(self.in_line.values().next()).cloned());
    }
}
