//! When a key was used lately.

use super::ring::Ring;
use super::{MINUTE, WINDOW};
use crate::clock::Tick;

/// The uses of the last minute. That is exact, where counters per fixed minute let up to twice a limit through.
///
/// Uses of the same instant are one group. Of more than 1,024 groups several are made one, which counts until its last
/// use has left the window: never more than a limit passes, and all of it if uses come at once.
///
/// Most uses read and write these fields alone: of the ring only a group that is due to be forgotten is read, and
/// only the slot that the newest comes to once there is a newer one is written.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Tally {
    /// When the oldest group leaves the window; `Tick::ZERO` if there is none.
    leaves: Tick,
    /// No uses if there is no group at all.
    newest: Group,
    /// All groups but the newest.
    older: Ring,
    /// The most uses that a window ever held.
    peak: u32,
    /// A group that is begun now takes 2 to the power of this many uses.
    scale: u8,
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
        Self::low_half(serial).max(1)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
    fn low_half(serial: u64) -> u32 {
        serial as u32
    }
}

impl Tally {
    /// With room for the uses that a limit allows.
    pub(super) fn with_room(uses: u32) -> Self {
        // The newest group needs none.
        Self { older: Ring::with_room(uses.saturating_sub(1) as usize), ..Self::default() }
    }

    /// Uses in all groups.
    #[inline]
    fn total(&self) -> u32 {
        // Never more than fit in, see `add`.
        self.older.uses() + self.newest.uses
    }

    #[inline]
    pub(super) fn record(&mut self, serial: u64, now: Tick) {
        if self.leaves <= now {
            self.forget(now);
        }
        if self.scale > 0 {
            self.refine();
        }
        if self.total() < u32::MAX {
            self.book(now, 1, Group::short(serial));
        }
        self.peak = self.peak.max(self.total());
    }

    /// Uses that were made elsewhere, or before the start. Groups come oldest first.
    pub(super) fn add(&mut self, Group { at, uses, serial }: Group) {
        // A damaged database may hold any number: the total is always that of the groups.
        let uses = uses.min(u32::MAX - self.total());
        if uses > 0 {
            self.book(at, uses, serial);
        }
    }

    #[inline]
    fn book(&mut self, at: Tick, uses: u32, serial: u32) {
        // What nobody knows the number of comes after what is known.
        let serial = if serial == 0 { self.newest.serial } else { serial };
        // A thread that read the clock earlier may get here later.
        if at <= self.newest.at || self.newest.uses >> self.scale == 0 {
            let Group { at: newest, uses: others, .. } = self.newest;
            self.newest = Group { at: newest.max(at), uses: others + uses, serial };
            if self.older.is_empty() {
                self.leaves = self.newest.at.plus(WINDOW);
            }
        } else {
            self.older.push(self.newest);
            if self.older.len() == Ring::MOST {
                self.coarsen();
            }
            self.newest = Group { at, uses, serial };
        }
    }

    /// Takes the newest use back: the server did not count it.
    pub(super) fn take_back(&mut self) {
        self.newest.uses = self.newest.uses.saturating_sub(1);
        if self.newest.uses == 0 {
            self.newest = self.older.pop_newest().unwrap_or_default();
            self.note_oldest();
        }
    }

    /// Forgets what no window holds.
    #[inline(never)]
    fn forget(&mut self, now: Tick) {
        while self.older.oldest().is_some_and(|oldest| oldest.at.plus(WINDOW) <= now) {
            self.older.drop_oldest();
        }
        if self.older.is_empty() && self.newest.at.plus(WINDOW) <= now {
            self.newest = Group::default();
        }
        self.note_oldest();
    }

    fn note_oldest(&mut self) {
        let oldest = self.oldest_group();
        self.leaves = oldest.map_or(Tick::ZERO, |oldest| oldest.at.plus(WINDOW));
    }

    /// Groups that are begun from now on take fewer uses, if there is room.
    #[cold]
    #[inline(never)]
    fn refine(&mut self) {
        if self.older.len() + 1 < Ring::MOST / 4 {
            self.scale -= 1;
        }
    }

    /// Makes one of each two neighbours.
    #[cold]
    #[inline(never)]
    fn coarsen(&mut self) {
        self.scale += 1;
        self.older.halve();
        self.note_oldest();
    }

    /// The first instant at which fewer than `limit` uses are in the window.
    #[inline]
    pub(super) fn ready_at(&self, limit: u32) -> Tick {
        match self.total().checked_sub(limit) {
            None => Tick::ZERO,
            Some(0) => self.leaves,
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
        let newest = Some(self.newest).filter(|newest| newest.uses > 0);
        self.older.iter().chain(newest)
    }

    fn oldest_group(&self) -> Option<Group> {
        self.groups().next()
    }

    /// Uses in the minute before `now`.
    pub(super) fn in_minute(&self, now: Tick) -> u32 {
        self.recent(now).map(|group| group.uses).sum()
    }

    /// The most uses that a minute held.
    pub(super) fn peak(&self) -> u32 {
        self.peak
    }

    /// When this checkout was, if it is among the uses. `latest` is the last checkout so far.
    pub(super) fn time_of(&self, serial: u64, latest: u64) -> Option<Tick> {
        let behind = i64::try_from(latest.checked_sub(serial)?).unwrap_or(i64::MAX);
        let latest = Group::low_half(latest);
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
    pub(super) fn recent(&self, now: Tick) -> impl Iterator<Item = Group> {
        self.groups().rev().take_while(move |group| group.at.plus(MINUTE) > now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// The same, as a list of single uses with their checkouts.
    #[derive(Default)]
    struct Plain(Vec<(Tick, Option<u64>)>);

    impl Plain {
        fn record(&mut self, serial: u64, now: Tick) {
            self.0.retain(|(at, _)| at.plus(WINDOW) > now);
            self.add(Some(serial), now);
        }

        fn add(&mut self, serial: Option<u64>, at: Tick) {
            let (newest, last) = self.0.last().copied().unwrap_or_default();
            self.0.push((newest.max(at), serial.or(last)));
        }

        fn ready_at(&self, limit: u32) -> Tick {
            let excess = self.0.len().checked_sub(limit as usize);
            excess.map_or(Tick::ZERO, |excess| self.0[excess].0.plus(WINDOW))
        }

        fn time_of(&self, serial: u64) -> Option<Tick> {
            self.0.iter().find(|(_, of)| of.is_some_and(|of| of >= serial)).map(|(at, _)| *at)
        }

        fn in_minute(&self, now: Tick) -> usize {
            self.0.iter().filter(|(at, _)| at.plus(MINUTE) > now).count()
        }
    }

    proptest! {
        #[test]
        fn it_says_what_a_list_of_all_uses_says(
            // Numbers that their low halves go round among, and those that they don't.
            first in prop_oneof![Just(0), (1_u64 << 32) - 200..(1 << 32) + 1, Just((7 << 32) + (1 << 31) - 50)],
            room in 0_u32..40,
            limit in 1_u32..40,
            steps in vec((0_u8..12, 0_u64..20_000), 1..300),
        ) {
            let (mut tally, mut plain) = (Tally::with_room(room), Plain::default());
            let (mut now, mut serial, mut most) = (Tick(3_600_000_000_000), first, 0);
            for (step, millis) in steps {
                match step {
                    // The clock stands still now and then, and one that was read earlier may come later.
                    0..4 => now = now.plus(Duration::from_millis(millis)),
                    4..9 => {
                        let at = if step == 4 { Tick(now.0 - millis) } else { now };
                        // Other keys are checked out in between.
                        serial += 2 + millis % 3;
                        tally.record(serial, at);
                        plain.record(serial, at);
                        most = most.max(plain.0.len());
                    }
                    9 => {
                        let others = u32::try_from(millis % 4).unwrap();
                        tally.add(Group { at: now, uses: others, serial: 0 });
                        (0..others).for_each(|_| plain.add(None, now));
                    }
                    _ => {
                        tally.take_back();
                        plain.0.pop();
                    }
                }
                prop_assert_eq!(tally.ready_at(limit), plain.ready_at(limit));
                prop_assert_eq!(tally.in_minute(now) as usize, plain.in_minute(now));
                prop_assert_eq!(tally.oldest(now), plain.0.iter().map(|(at, _)| *at).find(|at| at.plus(MINUTE) > now));
                prop_assert_eq!(tally.peak() as usize, most);
            }
            for of in plain.0.iter().filter_map(|(_, serial)| *serial) {
                prop_assert_eq!(tally.time_of(of, serial), plain.time_of(of));
            }
            prop_assert_eq!(tally.time_of(u64::MAX, serial), None);
        }
    }

    #[test]
    fn it_fits_into_one_line_of_the_processor_with_what_it_is_compared_with() {
        assert_eq!((size_of::<Group>(), size_of::<Tally>(), size_of::<Option<Tally>>()), (16, 56, 56));
    }

    #[test]
    fn uses_of_one_instant_are_one_group() {
        let mut tally = Tally::default();
        for serial in 1..=5_000 {
            tally.record(serial, Tick(serial / 1_000));
        }
        assert_eq!(tally.groups().map(|group| group.uses).collect::<Vec<_>>(), [999, 1_000, 1_000, 1_000, 1_000, 1]);
        assert_eq!(tally.time_of(2_999, 5_000), Some(Tick(2)));
        (0..2).for_each(|_| tally.take_back());
        assert_eq!(tally.groups().last(), Some(Group { at: Tick(4), uses: 999, serial: 4_999 }));
    }
}
