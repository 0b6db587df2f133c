//! The groups of uses: they come in at the back and leave at the front. Knows nothing of time.

/// A group as it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Packed {
    /// When it was, in short; see [`Tally`](super::tally::Tally).
    pub(super) at: u32,
    /// One, where uses are [not counted](Ring::counts_uses).
    pub(super) uses: u32,
    /// The last checkout; 0 if that is not known, or [not kept](Ring::keeps_checkouts).
    pub(super) serial: u32,
}

/// Oldest first.
///
/// Room is made for the first group, and doubled whenever it is full: a few times in the life of a key, so that now and
/// then a call allocates under the pool's lock, and none once the key has seen its busiest minute. Small limits take
/// no more than their uses do. More than 1,024 groups are never kept: neighbours become one.
#[derive(Debug)]
pub(super) struct Ring {
    /// So many of each group as `width` says.
    words: Box<[u32]>,
    /// Where the oldest begins.
    first: u16,
    /// Words of all groups.
    len: u16,
    /// A group that is begun now takes 2 to the power of this many uses.
    scale: u8,
    /// One word of a group is when it was, a second how many uses it has, a third what checkout was its last.
    width: u8,
}

const SINGLE: u8 = 1;
const COUNTED: u8 = 2;
const WITH_CHECKOUTS: u8 = 3;

impl Default for Ring {
    fn default() -> Self {
        Self { words: Box::default(), first: 0, len: 0, scale: 0, width: SINGLE }
    }
}

impl Ring {
    /// Groups that it holds at most.
    const MOST: usize = 1024;

    /// Words that room is made for at first, at most.
    const FIRST_WORDS: usize = 8;

    /// Keeps checkouts from now on, or gives them up. Uses stay.
    pub(super) fn keep_checkouts(&mut self, keeps: bool) {
        if keeps == self.keeps_checkouts() {
            return;
        }
        let is_single = self.is_fine() && self.iter().all(|group| group.uses == 1);
        self.lay_out(match keeps {
            true => WITH_CHECKOUTS,
            false if is_single => SINGLE,
            false => COUNTED,
        });
    }

    /// Whether it is known which checkouts its uses were.
    #[inline]
    pub(super) fn keeps_checkouts(&self) -> bool {
        self.width == WITH_CHECKOUTS
    }

    /// Lets groups have more than one use, from now on.
    pub(super) fn count_uses(&mut self) {
        if !self.counts_uses() {
            self.lay_out(COUNTED);
        }
    }

    /// Whether groups may have more than one use: until one has to, several uses of one instant are several groups.
    #[inline]
    pub(super) fn counts_uses(&self) -> bool {
        self.width > SINGLE
    }

    /// Gives each group so many words. Where uses are counted, those of one instant become one group.
    #[inline(never)]
    fn lay_out(&mut self, width: u8) {
        let words = vec![0; self.groups() * usize::from(width)];
        let mut other = Self { words: words.into(), first: 0, len: 0, scale: self.scale, width };
        for group in self.iter() {
            match other.newest() {
                Some(newest) if other.counts_uses() && newest.at == group.at => {
                    other.replace_newest(Packed { uses: newest.uses + group.uses, ..group });
                }
                _ => other.push(group),
            }
        }
        let mut words = other.words.into_vec();
        words.truncate(other.len.into());
        *self = Self { words: words.into(), ..other };
    }

    /// Words of a group.
    #[inline]
    fn width(&self) -> usize {
        self.width.into()
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
        let words = &self.words[place..place + self.width()];
        let uses = if words.len() > 1 { words[1] } else { 1 };
        let serial = if words.len() > 2 { words[2] } else { 0 };
        Packed { at: words[0], uses, serial }
    }

    #[inline]
    fn write(&mut self, place: usize, Packed { at, uses, serial }: Packed) {
        debug_assert!(self.counts_uses() || uses == 1, "there is no room for a count");
        let words = &mut self.words[place..place + usize::from(self.width)];
        words[0] = at;
        if words.len() > 1 {
            words[1] = uses;
        }
        if words.len() > 2 {
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
        self.len += u16::from(self.width);
        self.write(place, group);
    }

    /// Puts another in the place of the newest. There must be one.
    pub(super) fn replace_newest(&mut self, group: Packed) {
        let place = self.place(usize::from(self.len) - self.width());
        self.write(place, group);
    }

    /// Makes room for another: doubles what there is, or makes one of each two neighbours. So many groups there will
    /// be at most, unless there are as many already.
    #[cold]
    #[inline(never)]
    pub(super) fn make_room(&mut self, most: usize) {
        debug_assert!(self.is_full(), "so that all words are those of groups");
        let mut groups = self.groups();
        if groups == Self::MOST {
            // They may be uses of few instants.
            self.count_uses();
            groups = self.groups();
        }
        if groups == Self::MOST {
            self.halve();
            return;
        }
        let most = if groups < most { most.min(Self::MOST) } else { Self::MOST };
        let wanted = if groups == 0 { Self::FIRST_WORDS / self.width() } else { 2 * groups };
        let room = wanted.min(most) * self.width();
        let mut words = Vec::with_capacity(room);
        let (newer, older) = self.words.split_at(self.first.into());
        words.extend_from_slice(older);
        words.extend_from_slice(newer);
        words.resize(room, 0);
        (self.words, self.first) = (words.into(), 0);
    }

    /// Makes one of each two neighbours, which counts as the later of them. Groups that are begun from now on take
    /// more uses.
    #[inline(never)]
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
            self.len -= u16::from(self.width);
        }
    }

    /// Forgets the newest.
    pub(super) fn drop_newest(&mut self) {
        self.len = self.len.saturating_sub(self.width.into());
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
        fn of_width(width: u8) -> Self {
            Self { width, ..Self::default() }
        }

        fn add(&mut self, group: Packed, most: usize) {
            if self.is_full() {
                self.make_room(most);
            }
            self.push(group);
        }

        fn room(&self) -> usize {
            self.words.len() / self.width()
        }

        /// Holds groups of these numbers, and had some before.
        fn filled(width: u8, dropped: usize, len: u32) -> Self {
            let mut ring = Self::of_width(width);
            for _ in 0..dropped {
                ring.add(numbered(0, width), 9);
                ring.drop_oldest();
            }
            (1..=len).for_each(|n| ring.add(numbered(n, width), 9));
            ring
        }
    }

    /// What a ring of this width keeps of a group.
    fn numbered(n: u32, width: u8) -> Packed {
        let uses = if width == SINGLE { 1 } else { n % 3 + 1 };
        Packed { at: n, uses, serial: if width == WITH_CHECKOUTS { n } else { 0 } }
    }

    proptest! {
        #[test]
        fn it_holds_what_a_queue_holds(
            most in 0_usize..20,
            width in SINGLE..=WITH_CHECKOUTS,
            steps in vec(0_u8..12, 1..1_500),
        ) {
            let (mut ring, mut queue) = (Ring::of_width(width), VecDeque::new());
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
                        *newest = numbered(n, width);
                        ring.replace_newest(*newest);
                    }
                    4..10 if growing && queue.len() < Ring::MOST => {
                        ring.add(numbered(n, width), most);
                        queue.push_back(numbered(n, width));
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
        fn halving_loses_no_use(dropped in 0_usize..30, len in 0_u32..=1024, width in COUNTED..=WITH_CHECKOUTS) {
            let mut ring = Ring::filled(width, dropped, len);
            let before = ring.iter().collect::<Vec<_>>();
            ring.halve();
            let pairs = before.chunks(2).map(|pair| Packed {
                uses: pair.iter().map(|group| group.uses).sum(),
                ..pair[pair.len() - 1]
            });
            prop_assert!(ring.iter().eq(pairs));
        }

        #[test]
        fn what_is_laid_out_anew_holds_the_same(
            dropped in 0_usize..30,
            len in 0_u32..40,
            before in SINGLE..=WITH_CHECKOUTS,
            keeps in any::<bool>(),
        ) {
            let mut ring = Ring::filled(before, dropped, len);
            ring.keep_checkouts(keeps);
            let kept = before == WITH_CHECKOUTS && keeps;
            let group = |n| Packed { serial: if kept { n } else { 0 }, ..numbered(n, before) };
            prop_assert!(ring.iter().eq((1..=len).map(group)));
            prop_assert_eq!(ring.keeps_checkouts(), keeps);
        }

        #[test]
        fn uses_of_one_instant_become_one_group_when_they_are_counted(instants in vec(1_u32..6, 0..30)) {
            let mut ring = Ring::default();
            for (at, uses) in (1..).zip(&instants) {
                (0..*uses).for_each(|_| ring.add(Packed { at, uses: 1, serial: 0 }, 7));
            }
            ring.count_uses();
            let groups = (1..).zip(&instants).map(|(at, &uses)| Packed { at, uses, serial: 0 });
            prop_assert!(ring.iter().eq(groups));
        }
    }

    #[test]
    fn a_use_takes_four_bytes_and_twelve_with_its_checkout() {
        let bytes = |width| size_of_val(&*Ring::filled(width, 0, 8).words);
        assert_eq!([SINGLE, COUNTED, WITH_CHECKOUTS].map(bytes), [32, 64, 96]);
        assert_eq!(size_of::<Ring>(), 24);
    }

    #[test]
    fn room_doubles_up_to_the_limit_and_beyond_it_if_need_be() {
        let rooms = |width, most, groups| {
            let mut ring = Ring::of_width(width);
            let mut rooms = vec![ring.room()];
            for n in 0..groups {
                ring.add(numbered(n, width), most);
                rooms.push(ring.room());
            }
            rooms.dedup();
            rooms
        };
        assert_eq!(rooms(SINGLE, 3, 3), [0, 3]);
        assert_eq!(rooms(SINGLE, 10, 11), [0, 8, 10, 20]);
        assert_eq!(rooms(SINGLE, 5_000, 1_024), [0, 8, 16, 32, 64, 128, 256, 512, 1_024]);
        assert_eq!(rooms(WITH_CHECKOUTS, usize::MAX, 5), [0, 2, 4, 8]);
    }

    #[test]
    fn a_full_ring_first_makes_one_group_of_the_uses_of_an_instant() {
        let fill = |instants: u32| {
            let mut ring = Ring::default();
            (0..1_024).for_each(|n| ring.add(Packed { at: n * instants / 1_024, uses: 1, serial: 0 }, 5_000));
            ring.make_room(5_000);
            let uses: u32 = ring.iter().map(|group| group.uses).sum();
            (ring.groups(), ring.room(), ring.is_fine(), uses)
        };
        assert_eq!(fill(1_024), (512, 1_024, false, 1_024));
        assert_eq!(fill(8), (8, 16, true, 1_024), "these are no longer too many");
    }
}
