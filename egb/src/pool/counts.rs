//! How often a key was checked out, and how its calls ended. Most is counted in its slot, and booked where there are
//! failures, or a writer that asks for it.

use super::entry::Entry;
use super::lanes::ScopeId;
use crate::outcome::Verdict;
use crate::store::Counters;

/// Calls are taken from the slot, where their number goes round, whenever it is a multiple of this.
const MANY_CALLS: u32 = 1 << 30;

impl Entry {
    /// A call begins to hold the key, perhaps after others of its keys, or once more.
    #[inline]
    pub(super) fn begin(&mut self, scope: ScopeId, is_first: bool) {
        let begun = self.slot.begin(scope);
        if begun.is_multiple_of(MANY_CALLS) {
            self.count_calls();
        }
        if !is_first {
            self.history.notes.pending.begun -= 1;
        }
    }

    /// A call that holds no slot.
    pub(super) fn count_fetch(&mut self, is_first: bool) {
        let pending = &mut self.history.notes.pending;
        pending.calls += 1;
        pending.begun += i64::from(is_first);
    }

    pub(super) fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Success => {
                if self.slot.count_success() {
                    self.count_successes(self.slot.take_successes());
                }
            }
            Verdict::Neutral => {}
            Verdict::Failure(failure) => {
                let pending = &mut self.history.notes.pending;
                pending.failures += 1;
                pending.throttled += i64::from(failure.status_code() == Some(429));
            }
        }
    }

    /// Books successes that were taken from a slot.
    pub(super) fn count_successes(&mut self, successes: i64) {
        if successes > 0 {
            self.history.notes.pending.successes += successes;
        }
    }

    /// The calls of the slot that are counted nowhere else.
    fn calls(&self) -> u32 {
        self.slot.begun().wrapping_sub(self.history.counted)
    }

    /// Books those.
    #[cold]
    pub(super) fn count_calls(&mut self) {
        let calls = i64::from(self.calls());
        if calls > 0 {
            self.forget_calls();
            self.history.notes.pending.add(&Counters { calls, begun: calls, ..Counters::default() });
        }
    }

    /// What was counted and not yet handed to the writer, successes in the slot aside.
    pub(super) fn pending(&self) -> Counters {
        let mut pending = self.history.notes.pending;
        let calls = self.calls().into();
        pending.add(&Counters { calls, begun: calls, ..Counters::default() });
        pending
    }

    /// As [`pending`](Self::pending); it is no longer.
    pub(super) fn take_pending(&mut self) -> Counters {
        let pending = self.pending();
        self.forget_calls();
        if let Some(notes) = self.notes_mut() {
            notes.pending = Counters::default();
        }
        pending
    }

    /// The calls of the slot are counted elsewhere.
    fn forget_calls(&mut self) {
        if self.calls() > 0 {
            self.history.counted = self.slot.begun();
        }
    }

    /// What the store counts.
    pub(super) fn set_stored(&mut self, counters: Counters) {
        if counters != self.history.stored {
            self.history.stored = counters;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Weak};

    use super::*;
    use crate::config::KeyConfig;
    use crate::key::Key;
    use crate::pool::Home;
    use crate::pool::entry::Remains;
    use crate::pool::lanes::NO_SCOPE;
    use crate::pool::slot::{Slot, Ties};

    #[test]
    fn calls_are_counted_beyond_what_a_slot_has_room_for() {
        let slot = Slot::new(0, Key::from("test-key"), Arc::new(Ties::alone(Arc::new(Home::new(Weak::new(), false)))));
        let mut entry = Entry::new(slot, 0, KeyConfig::new("test-key"), None, Remains::default());
        for _ in 0..5 {
            entry.slot.begin_many(MANY_CALLS - 4);
            [true, false, true, false].into_iter().for_each(|is_first| entry.begin(NO_SCOPE, is_first));
        }
        let calls = 5 * i64::from(MANY_CALLS);
        let all = Counters { calls, begun: calls - 10, ..Counters::default() };
        assert_eq!(entry.pending(), all);
        assert_eq!((entry.take_pending(), entry.pending()), (all, Counters::default()));
    }

    #[test]
    fn successes_are_counted_beyond_what_a_slot_has_room_for() {
        let slot = Slot::new(0, Key::from("test-key"), Arc::new(Ties::alone(Arc::new(Home::new(Weak::new(), false)))));
        let mut entry = Entry::new(slot, 0, KeyConfig::new("test-key"), None, Remains::default());
        entry.slot.count_nearly_too_many_successes();
        let before = entry.slot.successes();
        (0..3).for_each(|_| entry.count(&Verdict::Success));
        assert_eq!(entry.history.notes.pending.successes, before + 1, "they are booked when there are too many");
        assert_eq!((entry.slot.successes(), entry.slot.running()), (2, 0));
    }
}
