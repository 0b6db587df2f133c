//! The groups of uses: they come in at the back and leave at the front. Knows nothing of time.

#[cfg(test)]
mod tests;

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
        let is_single = self.iter().all(|group| group.uses == 1);
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

    /// Whether groups may have more than one use: as long as that is rare, several uses of one instant are several groups.
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

    /// Instants at which there were uses.
    fn instants(&self) -> usize {
        let mut last = None;
        self.iter().filter(|group| last.replace(group.at) != Some(group.at)).count()
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
    /// be at most, unless there are as many already. It may take two calls, as the first lets groups have more than one use,
    /// and then there may be no need for room.
    #[cold]
    #[inline(never)]
    pub(super) fn make_room(&mut self, most: usize) {
        debug_assert!(self.is_full(), "so that all words are those of groups");
        let groups = self.groups();
        // Uses of few instants take less room with a count.
        if !self.counts_uses() && (groups == Self::MOST || 2 * self.instants() < groups) {
            self.count_uses();
            return;
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
