//! The groups of uses: they come in at the back and leave at the front. Knows nothing of time.

/// A group as it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Packed {
    /// When it was, in short; see [`Tally`](super::tally::Tally).
    pub(super) at: u32,
    pub(super) uses: u32,
    /// The last checkout; 0 if that is not known, or [not kept](Ring::keeps_checkouts).
    pub(super) serial: u32,
}

/// Oldest first.
///
/// What a small limit allows has room from the start, so that no call with such a key ever allocates under the pool's
/// lock. Of a large limit most keys use a small part: there the room doubles whenever it is full, at most six times in
/// the life of a key. More than 1,024 groups are never kept: neighbours become one.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// Two of each group, and a third for its checkout where that is kept.
    words: Box<[u32]>,
    /// Where the oldest begins.
    first: u16,
    /// Words of all groups.
    len: u16,
    /// A group that is begun now takes 2 to the power of this many uses.
    scale: u8,
    keeps_checkouts: bool,
}

impl Ring {
    /// Groups that it holds at most.
    const MOST: usize = 1024;

    /// Groups that there is room for from the start, at most.
    const FIRST_ROOM: usize = 16;

    /// The least room that is made.
    const LEAST_ROOM: usize = 2;

    /// With room for so many groups, if they are few.
    pub(super) fn with_room(groups: usize, keeps_checkouts: bool) -> Self {
        let mut ring = Self { keeps_checkouts, ..Self::default() };
        ring.words = vec![0; groups.min(Self::FIRST_ROOM) * ring.width()].into();
        ring
    }

    /// The same groups, where there is at least as much room as [`with_room`](Self::with_room) makes.
    pub(super) fn fitted(self, groups: usize, keeps_checkouts: bool) -> Self {
        let fits = self.words.len() >= groups.min(Self::FIRST_ROOM) * self.width();
        if fits && self.keeps_checkouts == keeps_checkouts {
            return self;
        }
        let mut fitted = Self { scale: self.scale, ..Self::with_room(groups, keeps_checkouts) };
        for group in self.iter() {
            if fitted.is_full() {
                fitted.make_room();
            }
            fitted.push(group);
        }
        fitted
    }

    /// Whether it is known which checkouts its uses were.
    #[inline]
    pub(super) fn keeps_checkouts(&self) -> bool {
        self.keeps_checkouts
    }

    /// Words of a group.
    #[inline]
    fn width(&self) -> usize {
        2 + usize::from(self.keeps_checkouts)
    }

    fn groups(&self) -> usize {
        usize::from(self.len) / self.width()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        usize::from(self.len) == self.words.len()
    }

    /// Where the group begins that so many words of others come before.
    #[inline]
    fn place(&self, before: usize) -> usize {
        let place = usize::from(self.first) + before;
        if place < self.words.len() { place } else { place - self.words.len() }
    }

    #[inline]
    fn read(&self, place: usize) -> Packed {
        let serial = if self.keeps_checkouts { self.words[place + 2] } else { 0 };
        Packed { at: self.words[place], uses: self.words[place + 1], serial }
    }

    #[inline]
    fn write(&mut self, place: usize, Packed { at, uses, serial }: Packed) {
        let words = &mut self.words[place..];
        words[..2].copy_from_slice(&[at, uses]);
        if self.keeps_checkouts {
            words[2] = serial;
        }
    }

    #[inline]
    pub(super) fn oldest(&self) -> Option<Packed> {
        (!self.is_empty()).then(|| self.read(self.first.into()))
    }

    pub(super) fn newest(&self) -> Option<Packed> {
        let before = usize::from(self.len).checked_sub(self.width())?;
        Some(self.read(self.place(before)))
    }

    /// Whether each instant gets a group of its own.
    #[inline]
    pub(super) fn is_fine(&self) -> bool {
        self.scale == 0
    }

    /// Whether the newest group takes further uses of a later instant.
    pub(super) fn is_open(&self) -> bool {
        self.scale > 0 && self.newest().is_some_and(|newest| newest.uses >> self.scale == 0)
    }

    /// Adds one. There must be [room](Self::is_full).
    #[inline]
    pub(super) fn push(&mut self, group: Packed) {
        let place = self.place(self.len.into());
        self.len += 2 + u16::from(self.keeps_checkouts);
        self.write(place, group);
    }

    /// Puts another in the place of the newest. There must be one.
    pub(super) fn replace_newest(&mut self, group: Packed) {
        let place = self.place(usize::from(self.len) - self.width());
        self.write(place, group);
    }

    /// Makes room for another: doubles what there is, or makes one of each two neighbours.
    #[cold]
    #[inline(never)]
    pub(super) fn make_room(&mut self) {
        debug_assert!(self.is_full(), "so that all words are those of groups");
        let most = Self::MOST * self.width();
        if self.words.len() == most {
            self.halve();
            return;
        }
        let room = (2 * self.words.len()).clamp(Self::LEAST_ROOM * self.width(), most);
        let mut words = Vec::with_capacity(room);
        let (newer, older) = self.words.split_at(self.first.into());
        words.extend_from_slice(older);
        words.extend_from_slice(newer);
        words.resize(room, 0);
        (self.words, self.first) = (words.into(), 0);
    }

    /// Makes one of each two neighbours, which counts as the later of them. Groups that are begun from now on take
    /// more uses.
    fn halve(&mut self) {
        let groups = self.groups();
        for pair in 0..groups.div_ceil(2) {
            let mut group = self.group(2 * pair);
            if 2 * pair + 1 < groups {
                let later = self.group(2 * pair + 1);
                group = Packed { uses: group.uses + later.uses, ..later };
            }
            self.write(self.place(pair * self.width()), group);
        }
        let words = groups.div_ceil(2) * self.width();
        self.len = u16::try_from(words).expect("at most 1,024 groups of three words");
        self.scale += 1;
    }

    /// Groups that are begun from now on take fewer uses, if there is room.
    pub(super) fn refine(&mut self) {
        if self.groups() < Self::MOST / 4 {
            self.scale = self.scale.saturating_sub(1);
        }
    }

    /// Forgets the oldest.
    pub(super) fn drop_oldest(&mut self) {
        if !self.is_empty() {
            let width = self.width();
            self.first = u16::try_from(self.place(width)).expect("at most 1,024 groups of three words");
            self.len -= 2 + u16::from(self.keeps_checkouts);
        }
    }

    /// Forgets the newest.
    pub(super) fn drop_newest(&mut self) {
        self.len = self.len.saturating_sub(2 + u16::from(self.keeps_checkouts));
    }

    /// The group that so many others come before.
    fn group(&self, before: usize) -> Packed {
        self.read(self.place(before * self.width()))
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = Packed> {
        (0..self.groups()).map(|before| self.group(before))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    impl Ring {
        fn add(&mut self, group: Packed) {
            if self.is_full() {
                self.make_room();
            }
            self.push(group);
        }

        fn room(&self) -> usize {
            self.words.len() / self.width()
        }
    }

    fn numbered(n: u32, keeps_checkouts: bool) -> Packed {
        Packed { at: n, uses: n % 3 + 1, serial: if keeps_checkouts { n } else { 0 } }
    }

    proptest! {
        #[test]
        fn it_holds_what_a_queue_holds(
            room in 0_usize..20,
            keeps in any::<bool>(),
            steps in vec(0_u8..12, 1..1_500),
        ) {
            let (mut ring, mut queue) = (Ring::with_room(room, keeps), VecDeque::new());
            let mut growing = true;
            for (n, step) in (1..).zip(steps) {
                match step {
                    // It is filled and emptied by turns.
                    0 => growing = !growing,
                    1 => {
                        ring.drop_newest();
                        queue.pop_back();
                    }
                    2..4 => if let Some(newest) = queue.back_mut() {
                        *newest = numbered(n, keeps);
                        ring.replace_newest(*newest);
                    }
                    4..10 if growing && queue.len() < Ring::MOST => {
                        ring.add(numbered(n, keeps));
                        queue.push_back(numbered(n, keeps));
                    }
                    _ => {
                        ring.drop_oldest();
                        queue.pop_front();
                    }
                }
                prop_assert_eq!(ring.oldest(), queue.front().copied());
                prop_assert_eq!(ring.newest(), queue.back().copied());
                prop_assert_eq!(ring.groups(), queue.len());
                prop_assert_eq!(ring.is_empty(), queue.is_empty());
                prop_assert!(ring.iter().eq(queue.iter().copied()));
                prop_assert!(ring.iter().rev().eq(queue.iter().rev().copied()));
            }
        }

        #[test]
        fn halving_loses_no_use(dropped in 0_usize..30, len in 0_u32..=1024, keeps in any::<bool>()) {
            let mut ring = Ring::with_room(9, keeps);
            for _ in 0..dropped {
                ring.add(numbered(0, keeps));
                ring.drop_oldest();
            }
            (1..=len).for_each(|n| ring.add(numbered(n, keeps)));
            let before = ring.iter().collect::<Vec<_>>();
            ring.halve();
            let pairs = before.chunks(2).map(|pair| Packed {
                uses: pair.iter().map(|group| group.uses).sum(),
                ..pair[pair.len() - 1]
            });
            prop_assert!(ring.iter().eq(pairs));
        }

        #[test]
        fn what_is_fitted_holds_the_same_but_for_checkouts(
            dropped in 0_usize..30,
            len in 0_u32..40,
            room in 0_usize..20,
            kept in any::<bool>(),
            keeps in any::<bool>(),
        ) {
            let mut ring = Ring::with_room(9, kept);
            for _ in 0..dropped {
                ring.add(numbered(0, kept));
                ring.drop_oldest();
            }
            (1..=len).for_each(|n| ring.add(numbered(n, kept)));
            let fitted = ring.fitted(room, keeps);
            prop_assert!(fitted.iter().eq((1..=len).map(|n| numbered(n, kept && keeps))));
            prop_assert!(fitted.room() >= room.min(16));
            prop_assert_eq!(fitted.keeps_checkouts(), keeps);
        }
    }

    #[test]
    fn a_group_takes_eight_bytes_and_twelve_with_its_checkout() {
        let bytes = |keeps| size_of_val(&*Ring::with_room(10, keeps).words);
        assert_eq!((bytes(false), bytes(true)), (80, 120));
    }

    #[test]
    fn a_small_room_is_never_made_larger_and_a_large_one_at_most_six_times() {
        let fill = |mut ring: Ring, groups| {
            let mut rooms = vec![ring.room()];
            for _ in 0..groups {
                ring.add(numbered(1, false));
                rooms.push(ring.room());
            }
            rooms.dedup();
            rooms
        };
        assert_eq!(fill(Ring::with_room(10, false), 10), [10]);
        assert_eq!(fill(Ring::with_room(16, true), 16), [16]);
        assert_eq!(fill(Ring::with_room(1_000, false), 1_025), [16, 32, 64, 128, 256, 512, 1_024]);
        assert_eq!(fill(Ring::default(), 5), [0, 2, 4, 8]);
    }
}
