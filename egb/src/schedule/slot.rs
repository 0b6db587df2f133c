//! What the schedule keeps of one key, and where the key is. Each is in exactly one place.

use super::{LevelId, NONE, SlotId};

/// Where a slot's key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// There is none.
    Vacant,
    /// Popped; the caller decides.
    Out,
    /// In its level's line.
    Line,
    /// Queued as well, in the heap of those that belong in the middle of a line.
    Heap,
    /// Not before an instant.
    Parked,
    /// Not until the caller says.
    Held,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) last_use: u64,
    pub(super) level: LevelId,
    /// The neighbour towards the head of the line; in a heap, the position.
    pub(super) before: u32,
    pub(super) after: SlotId,
    pub(super) place: Place,
}

impl Slot {
    pub(super) const VACANT: Self = Self { last_use: 0, level: NONE, before: NONE, after: NONE, place: Place::Vacant };

    pub(super) fn position(&self) -> usize {
        self.before as usize
    }

    pub(super) fn set_position(&mut self, position: usize) {
        // A heap holds a slot once, and slot ids are 32 bits.
        self.before = u32::try_from(position).unwrap_or(NONE);
    }
}
