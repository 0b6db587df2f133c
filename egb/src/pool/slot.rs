//! The part of a key's state that outlives its place in the pool, as running calls hold on to it. What a call's
//! end has to know and change is one word, so that most calls end without the pool's lock.

use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;

use super::Home;
use super::gauge::Gauges;
use super::held::Company;
use super::lanes::ScopeId;
use super::quota::GroupId;
use crate::key::Key;
use crate::schedule::SlotId;

/// Without a count of weak references, which nobody has.
pub(crate) type SharedSlot = triomphe::Arc<Slot>;

/// One key of the pool.
#[repr(C)]
pub(crate) struct Slot {
    word: AtomicU64,
    /// Calls that have begun; it goes round. Written under the pool's lock, or that of the part that has the key.
    begun: AtomicU32,
    pub(crate) id: SlotId,
    ties: Arc<Ties>,
    /// Last, as neither the checkout nor the end of a call reads it.
    pub(crate) key: Key,
}

/// What a slot has to do with others. Most slots of a pool have the same to say here, and hold it once.
pub(super) struct Ties {
    home: Arc<Home>,
    kind: Kind,
}

enum Kind {
    Alone,
    /// Its running calls are counted in these too.
    Counted(Gauges),
    /// It is not a key's own: it stands for several keys, or for those of another attempt.
    Company(Box<Company>),
}

impl Ties {
    pub(super) fn alone(home: Arc<Home>) -> Self {
        Self { home, kind: Kind::Alone }
    }

    /// Running calls are counted in `gauges` too.
    pub(super) fn counted(home: Arc<Home>, gauges: Gauges) -> Self {
        Self { home, kind: Kind::Counted(gauges) }
    }

    pub(super) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    #[inline]
    fn gauges(&self) -> Option<&Gauges> {
        if let Kind::Counted(gauges) = &self.kind { Some(gauges) } else { None }
    }
}

// The word: three marks, set and cleared under the pool's lock alone; the successes that were counted and not yet
// collected; and calls that have ended, which go round.
/// A success changes nothing but the count: it needs no lock.
const SERENE: u64 = 1;
/// The writer has the key on its list.
const DIRTY: u64 = 1 << 1;
/// The key was removed: what ends now is told to the key if it was put back, and to nobody else. Or the last handle of the
/// balancer was dropped: the call that ends may be the last.
const DEPARTED: u64 = 1 << 2;
const SUCCESS: u64 = 1 << 3;
const SUCCESSES: u64 = ENDED - SUCCESS;
const ENDED: u64 = 1 << 32;

/// So many successes are counted without the lock at most, far from overflow.
const MANY_SUCCESSES: u64 = 1 << 28;

/// What a call's end says when nothing is held against its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quiet {
    Success,
    Neutral,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It is counted, and that is all; with what the pool has to be told.
    Quietly(Afterwards),
    /// Its verdict is to be given under the lock.
    Loudly,
}

/// What is left to do after a quiet end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Afterwards {
    Nothing,
    /// The writer does not know of the key's change.
    MarkDirty,
    /// Too many successes wait to be collected.
    Collect,
}

impl Slot {
    pub(super) fn new(id: SlotId, key: Key, ties: Arc<Ties>) -> Self {
        Self { word: AtomicU64::new(0), begun: AtomicU32::new(0), id, ties, key }
    }

    /// Not a key's own.
    pub(super) fn standing_for(first: &Self, company: Company) -> Self {
        let ties = Ties { home: Arc::clone(first.ties.home()), kind: Kind::Company(Box::new(company)) };
        Self::new(SlotId::MAX, first.key.clone(), Arc::new(ties))
    }

    /// Where running calls are counted beside here.
    #[inline]
    pub(super) fn gauges(&self) -> Option<&Gauges> {
        self.ties.gauges()
    }

    /// The group of its key, while it is the key's own.
    pub(super) fn group(&self) -> Option<GroupId> {
        self.gauges()?.group.as_ref().map(|(group, _)| *group)
    }

    /// What it stands for, if it is not a key's own.
    #[inline]
    pub(super) fn company(&self) -> Option<&Company> {
        if let Kind::Company(company) = &self.ties.kind { Some(company) } else { None }
    }

    #[inline]
    pub(crate) fn home(&self) -> &Home {
        &self.ties.home
    }

    /// A call begins to hold it. Under the lock of whoever has the key's entry. Returns how many have begun so far.
    #[inline]
    pub(super) fn begin(&self, scope: ScopeId) -> u32 {
        let begun = self.begun().wrapping_add(1);
        self.begun.store(begun, Ordering::Relaxed);
        if let Some(gauges) = self.gauges() {
            gauges.begin(scope);
        }
        begun
    }

    /// How many calls have begun to hold it.
    #[inline]
    pub(super) fn begun(&self) -> u32 {
        self.begun.load(Ordering::Relaxed)
    }

    /// A call holds it no longer, if nothing has to be told; a quiet verdict is counted in the same stroke. Else it is
    /// running until [`end_one`](Self::end_one). Whoever clears a mark under the lock sees the call as running no more,
    /// or the call sees the mark gone.
    #[inline]
    pub(super) fn end(&self, scope: ScopeId, quiet: Option<Quiet>) -> Ended {
        if let Some(gauges) = self.gauges() {
            gauges.end(scope);
        }
        let counted = match quiet {
            Some(Quiet::Success) => ENDED + SUCCESS,
            Some(Quiet::Neutral) => ENDED,
            None => return Ended::Loudly,
        };
        let mut word = self.word.load(Ordering::SeqCst);
        while word & (SERENE | DEPARTED) == SERENE {
            let next = word.wrapping_add(counted);
            match self.word.compare_exchange_weak(word, next, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) if quiet == Some(Quiet::Neutral) => return Ended::Quietly(Afterwards::Nothing),
                Ok(_) if next & SUCCESSES >= MANY_SUCCESSES * SUCCESS => return Ended::Quietly(Afterwards::Collect),
                Ok(_) if next & DIRTY == 0 => return Ended::Quietly(Afterwards::MarkDirty),
                Ok(_) => return Ended::Quietly(Afterwards::Nothing),
                Err(changed) => word = changed,
            }
        }
        Ended::Loudly
    }

    /// One of its running calls ended. Under the pool's lock.
    pub(super) fn end_one(&self) {
        self.word.fetch_add(ENDED, Ordering::SeqCst);
    }

    /// Calls that hold it.
    pub(super) fn running(&self) -> u32 {
        self.begun().wrapping_sub(ended(self.word.load(Ordering::SeqCst)))
    }

    #[inline]
    pub(super) fn is_serene(&self) -> bool {
        self.has(SERENE)
    }

    #[inline]
    pub(super) fn is_dirty(&self) -> bool {
        self.has(DIRTY)
    }

    pub(super) fn has_departed(&self) -> bool {
        self.has(DEPARTED)
    }

    pub(super) fn set_serene(&self, serene: bool) {
        self.set(SERENE, serene);
    }

    #[inline]
    pub(super) fn set_dirty(&self) {
        self.set(DIRTY, true);
    }

    pub(super) fn depart(&self) {
        self.set(DEPARTED, true);
    }

    /// It is its key's own again.
    pub(super) fn rejoin(&self) {
        self.set(DEPARTED, false);
    }

    /// A success of a call that ended under the lock. Returns whether there are so many by now that they have to be taken.
    pub(super) fn count_success(&self) -> bool {
        let word = self.word.fetch_add(SUCCESS, Ordering::SeqCst).wrapping_add(SUCCESS);
        word & SUCCESSES >= MANY_SUCCESSES * SUCCESS
    }

    /// The successes that it counted and that were not taken.
    pub(super) fn successes(&self) -> i64 {
        successes(self.word.load(Ordering::SeqCst))
    }

    /// Takes those, with the mark of the writer's list: one that is counted after this sets it anew.
    pub(super) fn take_successes(&self) -> i64 {
        successes(self.word.fetch_and(!(SUCCESSES | DIRTY), Ordering::SeqCst))
    }

    /// So many calls begin.
    #[cfg(test)]
    pub(super) fn begin_many(&self, calls: u32) {
        self.begun.store(self.begun().wrapping_add(calls), Ordering::Relaxed);
    }

    /// The next success is one too many.
    #[cfg(test)]
    pub(super) fn count_nearly_too_many_successes(&self) {
        self.word.fetch_add((MANY_SUCCESSES - 1) * SUCCESS, Ordering::SeqCst);
    }

    #[inline]
    fn has(&self, mark: u64) -> bool {
        self.word.load(Ordering::SeqCst) & mark != 0
    }

    #[inline]
    fn set(&self, mark: u64, on: bool) {
        if on == self.has(mark) {
            return;
        }
        if on {
            self.word.fetch_or(mark, Ordering::SeqCst);
        } else {
            self.word.fetch_and(!mark, Ordering::SeqCst);
        }
    }
}

fn ended(word: u64) -> u32 {
    u32::try_from(word >> 32).expect("32 bits are left")
}

fn successes(word: u64) -> i64 {
    i64::try_from((word & SUCCESSES) / SUCCESS).expect("29 bits")
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use super::*;

    fn slot() -> Slot {
        Slot::new(0, Key::from("test-key"), Arc::new(Ties::alone(Arc::new(Home::new(Weak::new(), false)))))
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_slot_is_half_a_cache_line() {
        assert_eq!(size_of::<Slot>(), 32);
    }

    #[test]
    fn counts_go_round_and_leave_the_marks_alone() {
        let slot = slot();
        slot.begun.store(u32::MAX, Ordering::Relaxed);
        slot.word.store(u64::from(u32::MAX) << 32, Ordering::Relaxed);
        slot.set_serene(true);
        assert_eq!(slot.running(), 0);
        slot.begin(0);
        assert_eq!(slot.running(), 1);
        assert_eq!(slot.end(0, Some(Quiet::Success)), Ended::Quietly(Afterwards::MarkDirty));
        assert_eq!((slot.running(), slot.successes(), slot.is_serene(), slot.is_dirty()), (0, 1, true, false));
    }

    #[test]
    fn only_a_serene_slot_ends_calls_quietly() {
        let slot = slot();
        slot.begin_many(4);
        assert_eq!(slot.end(0, Some(Quiet::Success)), Ended::Loudly);
        slot.set_serene(true);
        slot.set_dirty();
        assert_eq!(slot.end(0, Some(Quiet::Neutral)), Ended::Quietly(Afterwards::Nothing));
        assert_eq!(slot.end(0, None), Ended::Loudly);
        slot.depart();
        assert_eq!(slot.end(0, Some(Quiet::Success)), Ended::Loudly);
        assert_eq!((slot.running(), slot.successes()), (3, 0));
        (0..3).for_each(|_| slot.end_one());
        assert_eq!(slot.running(), 0);
    }

    #[test]
    fn successes_are_taken_once_and_asked_for_before_there_is_no_room() {
        let slot = slot();
        slot.set_serene(true);
        slot.set_dirty();
        slot.begin_many(3);
        slot.end(0, Some(Quiet::Success));
        assert_eq!((slot.take_successes(), slot.is_dirty(), slot.take_successes()), (1, false, 0));
        slot.count_nearly_too_many_successes();
        assert_eq!(slot.end(0, Some(Quiet::Success)), Ended::Quietly(Afterwards::Collect));
    }
}
