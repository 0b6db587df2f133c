//! A tournament tree over the heads of the levels: the earliest of all is at the root, and a changed
//! head plays one match per round. Knows nothing of what stands behind a head.

use super::heap::Entry;
use super::{LevelId, NONE};

/// No head: later than any.
const EMPTY: Entry = Entry { at: u64::MAX, id: NONE };

/// The heads of level `i` at `capacity + i`; node `i` holds the earlier of nodes `2i` and `2i + 1`.
#[derive(Debug)]
pub(super) struct Tournament {
    nodes: Vec<Entry>,
    capacity: usize,
}

impl Tournament {
    pub(super) fn new() -> Self {
        Self { nodes: vec![EMPTY; 2], capacity: 1 }
    }

    /// The earliest head.
    #[inline]
    pub(super) fn first(&self) -> Option<Entry> {
        let root = self.nodes[1];
        (root.id != NONE).then_some(root)
    }

    /// When it is the turn of this level's head; `u64::MAX` without one.
    #[inline]
    pub(super) fn turn(&self, level: LevelId) -> u64 {
        self.nodes[self.capacity + level as usize].at
    }

    #[inline]
    pub(super) fn set(&mut self, level: LevelId, head: Option<Entry>) {
        let mut node = self.capacity + level as usize;
        self.nodes[node] = head.unwrap_or(EMPTY);
        while node > 1 {
            node /= 2;
            let winner = self.winner(node);
            if self.nodes[node] == winner {
                break;
            }
            self.nodes[node] = winner;
        }
    }

    /// Makes room for `levels` heads.
    pub(super) fn grow(&mut self, levels: usize) {
        if levels <= self.capacity {
            return;
        }
        let heads = self.nodes.split_off(self.capacity);
        self.capacity = levels.next_power_of_two();
        self.nodes = vec![EMPTY; self.capacity];
        self.nodes.extend(heads);
        self.nodes.resize(2 * self.capacity, EMPTY);
        for node in (1..self.capacity).rev() {
            self.nodes[node] = self.winner(node);
        }
    }

    /// Makes every head earlier by `shift`, which keeps their order.
    pub(super) fn shift_back(&mut self, shift: u64) {
        for node in self.nodes.iter_mut().filter(|node| node.id != NONE) {
            node.at -= shift;
        }
    }

    fn winner(&self, node: usize) -> Entry {
        self.nodes[2 * node].min(self.nodes[2 * node + 1])
    }
}
