//! A 4-ary heap of keys that knows where each key sits, so that any of them can be taken out at once.
//! The position lives in the key's slot. Not for keys in order of use: those sit in a level's line.

use std::cmp::Ordering;

use super::{Slot, SlotId};

/// Four children share a cache line.
const CHILDREN: usize = 4;

/// A key and what it is ordered by; equal ones go by their slot, so that the order is total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) at: u64,
    pub(super) id: SlotId,
}

impl Entry {
    /// Both fields in one number, which compares without a branch that can't be predicted.
    fn rank(self) -> u128 {
        (u128::from(self.at) << 32) | u128::from(self.id)
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }

    fn min(self, other: Self) -> Self {
        if other.rank() < self.rank() { other } else { self }
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }

    fn lt(&self, other: &Self) -> bool {
        self.rank() < other.rank()
    }

    fn le(&self, other: &Self) -> bool {
        self.rank() <= other.rank()
    }
}

#[derive(Debug, Default)]
pub(super) struct Heap(Vec<Entry>);

impl Heap {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn first(&self) -> Option<Entry> {
        self.0.first().copied()
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
