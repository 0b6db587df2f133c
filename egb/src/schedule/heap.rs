//! A 4-ary heap of keys that knows where each key sits, so that any of them can be taken out at once.
//! The position lives in the key's slot. Not for keys in order of use: those sit in a level's line.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Slot, SlotId};

/// Four children share a cache line.
const CHILDREN: usize = 4;

/// A key and what it is ordered by; equal ones go by their slot, so that the order is total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) at: u64,
    pub(super) id: SlotId,
}

#[derive(Debug, Default)]
pub(super) struct Heap(Vec<Entry>);

impl Heap {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(super) fn first(&self) -> Option<Entry> {
        self.0.first().copied()
    }

    /// The `n`th key, from 1, among those that are not to be skipped. The cost goes by `n` and by how many are.
    pub(super) fn nth(&self, n: usize, is_skipped: impl Fn(SlotId) -> bool) -> Option<Entry> {
        let mut next = BinaryHeap::from_iter(self.0.first().map(|&first| Reverse((first, 0))));
        let mut found = 0;
        while let Some(Reverse((entry, position))) = next.pop() {
            found += usize::from(!is_skipped(entry.id));
            if found == n {
                return Some(entry);
            }
            let start = position * CHILDREN + 1;
            let end = (start + CHILDREN).min(self.0.len());
            next.extend((start..end).map(|child| Reverse((self.0[child], child))));
        }
        None
    }

    /// What the key at `position` is ordered by.
    pub(super) fn at(&self, position: usize) -> u64 {
        self.0[position].at
    }

    /// Makes room for `len` keys, so that later pushes allocate nothing.
    pub(super) fn reserve(&mut self, len: usize) {
        self.0.reserve(len.saturating_sub(self.0.len()));
    }

    pub(super) fn push(&mut self, entry: Entry, slots: &mut [Slot]) {
        self.0.push(entry);
        self.rise(self.0.len() - 1, entry, slots);
    }

    /// Takes out the key at `position`, which is that of its slot.
    pub(super) fn remove(&mut self, position: usize, slots: &mut [Slot]) {
        let Some(last) = self.0.pop() else { return };
        if position == self.0.len() {
            return;
        }
        // The last entry fills the gap. It may belong further up when the gap lies in another branch.
        if position > 0 && last < self.0[(position - 1) / CHILDREN] {
            self.rise(position, last, slots);
        } else {
            self.sink(position, last, slots);
        }
    }

    /// Makes every entry earlier by `shift`, which keeps their order.
    pub(super) fn shift_back(&mut self, shift: u64) {
        for entry in &mut self.0 {
            entry.at -= shift;
        }
    }

    fn rise(&mut self, mut position: usize, entry: Entry, slots: &mut [Slot]) {
        while position > 0 {
            let parent = (position - 1) / CHILDREN;
            if self.0[parent] <= entry {
                break;
            }
            self.put(position, self.0[parent], slots);
            position = parent;
        }
        self.put(position, entry, slots);
    }

    fn sink(&mut self, mut position: usize, entry: Entry, slots: &mut [Slot]) {
        loop {
            let start = position * CHILDREN + 1;
            let end = (start + CHILDREN).min(self.0.len());
            let Some(child) = (start..end).min_by_key(|&child| self.0[child]) else { break };
            if entry <= self.0[child] {
                break;
            }
            self.put(position, self.0[child], slots);
            position = child;
        }
        self.put(position, entry, slots);
    }

    fn put(&mut self, position: usize, entry: Entry, slots: &mut [Slot]) {
        self.0[position] = entry;
        slots[entry.id as usize].set_position(position);
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> &[Entry] {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn is_ordered(&self) -> bool {
        (1..self.0.len()).all(|position| self.0[(position - 1) / CHILDREN] < self.0[position])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_key_can_be_taken_out_and_the_first_is_the_least(
            calls in vec((0_u32..300, prop::option::of(0_u64..1_000)), 1..900),
        ) {
            let (mut heap, mut slots, mut model) = (Heap::default(), vec![Slot::VACANT; 300], BTreeSet::new());
            for (id, at) in calls {
                let present = model.iter().copied().find(|&(_, other)| other == id);
                match (present, at) {
                    (None, Some(at)) => {
                        heap.push(Entry { at, id }, &mut slots);
                        model.insert((at, id));
                    }
                    (Some(entry), None) => {
                        heap.remove(slots[id as usize].position(), &mut slots);
                        model.remove(&entry);
                    }
                    _ => {}
                }
                prop_assert!(heap.is_ordered());
                prop_assert_eq!(heap.len(), model.len());
                prop_assert_eq!(heap.first().map(|first| (first.at, first.id)), model.first().copied());
            }
            let is_even = |id: u32| id.is_multiple_of(2);
            for (n, &(at, id)) in (1..).zip(model.iter().filter(|(_, id)| !is_even(*id))) {
                prop_assert_eq!(heap.nth(n, is_even), Some(Entry { at, id }));
            }
            prop_assert_eq!(heap.nth(model.len() + 1, |_| false), None);
            for &(at, id) in &model {
                prop_assert_eq!(heap.entries()[slots[id as usize].position()], Entry { at, id });
            }
        }
    }
}
