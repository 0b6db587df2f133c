//! When a key was used lately.

use std::num::NonZeroU32;

use super::ring::{Packed, Ring};
use super::{MINUTE, WINDOW};
use crate::clock::Tick;

#[cfg(test)]
mod tests;

/// The uses of the last minute, and how many there may be. That is exact, where counters per fixed minute let up to
/// twice a limit through.
///
/// A group is a use, as long as most come singly; then uses of one instant are one group. Of more than 1,024 groups
/// several are made one, which counts until its last use has left the window: never more than a limit passes, and all
/// of it if uses come at once.
///
/// All groups lie within a window. That is why of their instants the low halves are enough, in units of 16 nanoseconds:
/// each is so far before the newest, of which all is known. Instants are rounded up, so that no use counts for shorter
/// than the window.
///
/// Most uses read and write these fields alone: of the ring only a group that is due to be forgotten is read, and only
/// the slot of the newest is written.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Tally {
    /// When the newest group was; `Tick::ZERO` if there is none.
    newest: Tick,
    ring: Ring,
    /// Uses in all groups.
    total: u32,
    /// When the oldest group was, in short.
    oldest: u32,
    /// The most uses that a window ever held.
    peak: u32,
    /// How many a window may hold: as was given, or as was learned. `None` as long as nothing is known.
    limit: Option<NonZeroU32>,
}

/// Uses that are kept as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    /// The last of them.
    pub(crate) at: Tick,
    pub(crate) uses: u32,
    /// The last checkout among them, in [short](Group::short); 0 if that is not known.
    pub(crate) serial: u32,
}

impl Group {
    /// The low half of a checkout's number. It tells those of a window apart: in a minute there are never 2^31 of them.
    /// The one in 2^32 that would be taken for unknown gets the number of the next.
    #[inline]
    fn short(serial: u64) -> u32 {
        low_half(serial).max(1)
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
const fn low_half(number: u64) -> u32 {
    number as u32
}

/// 2 to the power of this many nanoseconds are the unit of instants.
const UNIT_BITS: u32 = 4;
const UNIT: u64 = 1 << UNIT_BITS;

// A window's instants differ in their low halves.
const _: () = assert!(WINDOW.as_nanos() >> UNIT_BITS < 1 << 32);

/// The next instant that is a whole number of units.
#[inline]
fn rounded_up(at: Tick) -> Tick {
    Tick(at.0.saturating_add(UNIT - 1) & !(UNIT - 1))
}

/// The low half of an instant that is a whole number of units.
#[inline]
fn short(at: Tick) -> u32 {
    low_half(at.0 >> UNIT_BITS)
}

impl Tally {
    /// What counts against this limit, or learns it; it counts nothing if there is nothing to count for.
    pub(super) fn set_limit(&mut self, limit: Option<NonZeroU32>, learns: bool) {
        if limit.is_none() && !learns {
            *self = Self::default();
            return;
        }
        self.ring.keep_checkouts(learns);
        self.limit = limit;
    }

    /// As [`set_limit`](Self::set_limit), by what was learned.
    pub(super) fn set_learned(&mut self, limit: NonZeroU32) {
        self.limit = Some(limit);
    }

    pub(super) fn limit(&self) -> Option<NonZeroU32> {
        self.limit
    }

    /// Whether the limit is one that is learned, or to be.
    #[inline]
    pub(super) fn learns(&self) -> bool {
        self.ring.keeps_checkouts()
    }

    /// Whether uses are to be recorded.
    #[inline]
    pub(super) fn counts(&self) -> bool {
        self.limit.is_some() || self.learns()
    }

    /// Whether any use was ever recorded.
    pub(super) fn is_begun(&self) -> bool {
        self.peak > 0 || self.total > 0
    }

    #[expect(clippy::inline_always, reason = "less to do than in a function of its own, at every use")]
    #[inline(always)]
    pub(super) fn record(&mut self, serial: u64, now: Tick) {
        self.forget(now);
        // The usual first.
        if self.newest < now && self.ring.is_fine() && self.total < u32::MAX {
            self.begin(rounded_up(now), 1, Group::short(serial));
        } else {
            self.record_among_others(serial, now);
        }
        self.peak = self.peak.max(self.total);
    }

    #[inline(never)]
    fn record_among_others(&mut self, serial: u64, now: Tick) {
        self.ring.refine();
        if self.total < u32::MAX {
            self.book(now, 1, Group::short(serial));
        }
    }

    /// Uses that were made elsewhere, or before the start, oldest first; some perhaps before others that are known.
    pub(super) fn add_all(&mut self, groups: &[Group]) {
        let mut all: Vec<Group> = Vec::new();
        if groups.first().is_some_and(|first| first.at < self.newest) {
            all.extend(self.groups());
            let empty = Self { peak: self.peak, limit: self.limit, ..Self::default() };
            let was = std::mem::replace(self, empty);
            self.ring.keep_checkouts(was.learns());
        }
        all.extend_from_slice(groups);
        all.sort_by_key(|group| group.at);
        all.into_iter().for_each(|group| self.add(group));
    }

    /// Uses that were made elsewhere. Groups come oldest first.
    pub(super) fn add(&mut self, Group { at, uses, serial }: Group) {
        self.forget(at);
        // A damaged database may hold any number: the total is always that of the groups.
        let uses = uses.min(u32::MAX - self.total);
        // What nobody knows the number of comes after what is known.
        let known = || self.ring.newest().map_or(0, |newest| newest.serial);
        let serial = if serial == 0 { known() } else { serial };
        if uses > 0 {
            self.book(at, uses, serial);
        }
    }

    /// Nothing may be left that has left the window by then.
    fn book(&mut self, at: Tick, uses: u32, serial: u32) {
        /// More uses that come as one are worth a count for each group.
        const FEW: u32 = 4;
        // A thread that read the clock earlier may get here later.
        let at = rounded_up(at).max(self.newest);
        if uses > FEW {
            self.ring.count_uses();
        }
        let mut uses = uses;
        while uses > 0 && !self.ring.counts_uses() {
            // Which may begin to count.
            if self.ring.is_full() {
                self.make_room();
            } else {
                self.begin(at, 1, serial);
                uses -= 1;
            }
        }
        if uses == 0 {
            return;
        }
        match self.ring.newest() {
            Some(newest) if at == self.newest || self.ring.is_open() => {
                self.newest = at;
                self.ring.replace_newest(Packed { at: short(at), uses: newest.uses + uses, serial });
                self.total += uses;
                self.note_oldest();
            }
            _ => self.begin(at, uses, serial),
        }
    }

    /// Begins a group.
    #[expect(clippy::inline_always, reason = "less to do than in a function of its own, at every use")]
    #[inline(always)]
    fn begin(&mut self, at: Tick, uses: u32, serial: u32) {
        while self.ring.is_full() {
            self.make_room();
        }
        if self.total == 0 {
            self.oldest = short(at);
        }
        self.ring.push(Packed { at: short(at), uses, serial });
        self.newest = at;
        self.total += uses;
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self) {
        self.ring.make_room(self.limit.map_or(usize::MAX, |limit| limit.get() as usize));
        self.note_oldest();
    }

    /// Takes the newest use back: the server did not count it.
    pub(super) fn take_back(&mut self) {
        let Some(newest) = self.ring.newest() else { return };
        self.total -= 1;
        if newest.uses > 1 {
            self.ring.replace_newest(Packed { uses: newest.uses - 1, ..newest });
            return;
        }
        self.ring.drop_newest();
        self.newest = self.ring.newest().map_or(Tick::ZERO, |newest| self.long(newest.at));
        self.note_oldest();
    }

    /// Forgets what no window holds that ends at `now`, or later.
    #[inline]
    fn forget(&mut self, now: Tick) {
        if self.leaves() <= now {
            self.forget_oldest(now);
        }
    }

    #[inline(never)]
    fn forget_oldest(&mut self, now: Tick) {
        while let Some(oldest) = self.ring.oldest()
            && self.long(oldest.at).plus(WINDOW) <= now
        {
            self.total -= oldest.uses;
            self.ring.drop_oldest();
        }
        if self.ring.is_empty() {
            self.newest = Tick::ZERO;
        }
        self.note_oldest();
    }

    fn note_oldest(&mut self) {
        self.oldest = self.ring.oldest().map_or(short(self.newest), |oldest| oldest.at);
    }

    /// The instant of a group.
    #[inline]
    fn long(&self, at: u32) -> Tick {
        let before = short(self.newest).wrapping_sub(at);
        Tick(self.newest.0 - (u64::from(before) << UNIT_BITS))
    }

    /// When the oldest group leaves the window. Says nothing if there is none.
    #[inline]
    fn leaves(&self) -> Tick {
        self.long(self.oldest).plus(WINDOW)
    }

    /// The first instant at which fewer uses than the limit are in the window.
    #[inline]
    pub(super) fn ready_at(&self) -> Tick {
        match self.limit.and_then(|limit| self.total.checked_sub(limit.get())) {
            None => Tick::ZERO,
            Some(0) => self.leaves(),
            Some(excess) => self.without(excess),
        }
    }

    /// The first instant at which more than `excess` uses have left the window.
    #[cold]
    #[inline(never)]
    fn without(&self, mut excess: u32) -> Tick {
        // So many uses, and one more, have to leave.
        for group in self.groups() {
            match excess.checked_sub(group.uses) {
                Some(left) => excess = left,
                None => return group.at.plus(WINDOW),
            }
        }
        Tick::ZERO
    }

    /// Oldest first.
    fn groups(&self) -> impl DoubleEndedIterator<Item = Group> {
        self.ring.iter().map(|Packed { at, uses, serial }| Group { at: self.long(at), uses, serial })
    }

    /// Uses in the minute before `now`.
    pub(super) fn in_minute(&self, now: Tick) -> u32 {
        self.recent(now).map(|group| group.uses).sum()
    }

    /// The most uses that a minute held.
    pub(super) fn peak(&self) -> u32 {
        self.peak
    }

    /// When this checkout was, if it is among the uses of a tally that [learns](Self::learns). `latest` is the last
    /// checkout so far.
    pub(super) fn time_of(&self, serial: u64, latest: u64) -> Option<Tick> {
        let behind = i64::try_from(latest.checked_sub(serial)?).unwrap_or(i64::MAX);
        let latest = low_half(latest);
        // As numbers go round, it's their distance that is compared.
        let distance = |group: &Group| i64::from(latest.wrapping_sub(group.serial).cast_signed());
        let holds = |group: &Group| group.serial != 0 && distance(group) <= behind;
        self.groups().find(holds).map(|group| group.at)
    }

    /// When the oldest use of the last minute was.
    pub(super) fn oldest(&self, now: Tick) -> Option<Tick> {
        self.recent(now).last().map(|group| group.at)
    }

    /// The groups of the last minute, newest first.
    fn recent(&self, now: Tick) -> impl Iterator<Item = Group> {
        self.groups().rev().take_while(move |group| group.at.plus(MINUTE) > now)
    }

    /// The groups that count against the limit, newest first: those of a window, which is longer than a minute.
    pub(super) fn counted(&self, now: Tick) -> impl Iterator<Item = Group> {
        self.groups().rev().take_while(move |group| group.at.plus(WINDOW) > now)
    }
}
