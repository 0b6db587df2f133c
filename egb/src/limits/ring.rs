//! The groups of uses that are complete: they come in at the back and leave at the front. Knows nothing of time.

use super::tally::Group;

/// Oldest first.
///
/// What a small limit allows has room from the start, so that no call with such a key ever allocates under the pool's
/// lock. Of a large limit most keys use a small part: there the room doubles whenever it is full, at most six times in
/// the life of a key.
#[derive(Debug, Default)]
pub(super) struct Ring {
    slots: Box<[Group]>,
    /// The slot of the oldest.
    first: u16,
    len: u16,
    /// Uses in all of them.
    uses: u32,
}

impl Ring {
    /// Groups that it holds at most.
    pub(super) const MOST: usize = 1024;

    /// Groups that there is room for from the start, at most.
    const FIRST_ROOM: usize = 16;

    /// The least room that is made.
    const LEAST_ROOM: usize = 4;

    /// With room for so many groups, if they are few.
    pub(super) fn with_room(groups: usize) -> Self {
        Self { slots: vec![Group::default(); groups.min(Self::FIRST_ROOM)].into(), ..Self::default() }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(super) fn uses(&self) -> u32 {
        self.uses
    }

    /// Where the group is that so many others came before.
    #[inline]
    fn slot(&self, place: usize) -> usize {
        let slot = usize::from(self.first) + place;
        if slot < self.slots.len() { slot } else { slot - self.slots.len() }
    }

    #[inline]
    pub(super) fn oldest(&self) -> Option<&Group> {
        if self.is_empty() { None } else { self.slots.get(usize::from(self.first)) }
    }

    /// Adds one. There must be [fewer](Self::len) than [`MOST`](Self::MOST).
    #[inline]
    pub(super) fn push(&mut self, group: Group) {
        if self.len() == self.slots.len() {
            self.grow();
        }
        let slot = self.slot(self.len());
        self.slots[slot] = group;
        self.len += 1;
        self.uses += group.uses;
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let room = (2 * self.slots.len()).clamp(Self::LEAST_ROOM, Self::MOST);
        let mut slots = Vec::with_capacity(room);
        let (older, newer) = self.halves();
        slots.extend_from_slice(older);
        slots.extend_from_slice(newer);
        slots.resize(room, Group::default());
        (self.slots, self.first) = (slots.into(), 0);
    }

    /// Forgets the oldest.
    pub(super) fn drop_oldest(&mut self) {
        let Some(oldest) = self.oldest() else { return };
        self.uses -= oldest.uses;
        self.first = u16::try_from(self.slot(1)).expect("there are at most 1,024 slots");
        self.len -= 1;
    }

    /// Takes the newest out.
    pub(super) fn pop_newest(&mut self) -> Option<Group> {
        let newest = self.slots[self.slot(self.len().checked_sub(1)?)];
        self.uses -= newest.uses;
        self.len -= 1;
        Some(newest)
    }

    /// Makes one of each two neighbours, which counts as the later of them.
    pub(super) fn halve(&mut self) {
        for place in 0..self.len().div_ceil(2) {
            let mut group = self.slots[self.slot(2 * place)];
            if 2 * place + 1 < self.len() {
                let later = self.slots[self.slot(2 * place + 1)];
                group = Group { uses: group.uses + later.uses, ..later };
            }
            let slot = self.slot(place);
            self.slots[slot] = group;
        }
        self.len = self.len.div_ceil(2);
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = Group> {
        let (older, newer) = self.halves();
        older.iter().chain(newer).copied()
    }

    /// What lies before the end of the slots, and what goes on at their start.
    fn halves(&self) -> (&[Group], &[Group]) {
        let first = usize::from(self.first);
        let end = (first + self.len()).min(self.slots.len());
        (&self.slots[first..end], &self.slots[..self.len() - (end - first)])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Tick;

    proptest! {
        #[test]
        fn it_holds_what_a_queue_holds(room in 0_usize..20, steps in vec((0_u8..10, 1_u32..5), 1..1_500)) {
            let (mut ring, mut queue) = (Ring::with_room(room), VecDeque::new());
            let mut growing = true;
            for (at, (step, uses)) in (1..).zip(steps) {
                match step {
                    // It is filled and emptied by turns.
                    0 => growing = !growing,
                    1 => prop_assert_eq!(ring.pop_newest(), queue.pop_back()),
                    2..8 if growing && ring.len() < Ring::MOST => {
                        let group = Group { at: Tick(at), uses, serial: uses };
                        ring.push(group);
                        queue.push_back(group);
                    }
                    _ => {
                        ring.drop_oldest();
                        queue.pop_front();
                    }
                }
                prop_assert_eq!(ring.oldest(), queue.front());
                prop_assert_eq!(ring.len(), queue.len());
                prop_assert_eq!(ring.is_empty(), queue.is_empty());
                prop_assert_eq!(ring.uses(), queue.iter().map(|group| group.uses).sum::<u32>());
                prop_assert!(ring.iter().eq(queue.iter().copied()));
                prop_assert!(ring.iter().rev().eq(queue.iter().rev().copied()));
            }
        }

        #[test]
        fn halving_loses_no_use(dropped in 0_usize..30, len in 0_u32..=1024) {
            let mut ring = Ring::with_room(9);
            let group = |n: u32| Group { at: Tick(n.into()), uses: n % 3 + 1, serial: n };
            for _ in 0..dropped {
                ring.push(group(0));
                ring.drop_oldest();
            }
            (1..=len).for_each(|n| ring.push(group(n)));
            let (uses, before) = (ring.uses(), ring.iter().collect::<Vec<_>>());
            ring.halve();
            prop_assert_eq!(ring.uses(), uses);
            let pairs = before.chunks(2).map(|pair| Group {
                uses: pair.iter().map(|group| group.uses).sum(),
                ..pair[pair.len() - 1]
            });
            prop_assert!(ring.iter().eq(pairs));
        }
    }

    #[test]
    fn a_small_room_is_never_made_larger_and_a_large_one_at_most_six_times() {
        let fill = |mut ring: Ring, groups| {
            let mut rooms = vec![ring.slots.len()];
            for _ in 0..groups {
                ring.push(Group { uses: 1, ..Group::default() });
                rooms.push(ring.slots.len());
            }
            rooms.dedup();
            rooms
        };
        assert_eq!(fill(Ring::with_room(9), 9), [9]);
        assert_eq!(fill(Ring::with_room(16), 16), [16]);
        assert_eq!(fill(Ring::with_room(1_000), 1_024), [16, 32, 64, 128, 256, 512, 1_024]);
        assert_eq!(fill(Ring::default(), 5), [0, 4, 8]);
    }
}
