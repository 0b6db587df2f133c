//! When a key was used lately.

use std::collections::VecDeque;
use std::hint::black_box;

use super::{MINUTE, WINDOW};
use crate::clock::Tick;

/// Groups of uses that are kept.
const MAX_GROUPS: usize = 1024;

/// The uses of the last minute. That is exact, where counters per fixed minute let up to twice a limit through.
///
/// Of more than 1,024 uses several are kept as one group, which counts until its last use has left the window:
/// never more than a limit passes, and all of it if uses come at once.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Oldest first.
    groups: VecDeque<Group>,
    /// Uses in all of them.
    total: u32,
    /// The most uses that a window ever held.
    peak: u32,
    /// A group that is begun now takes 2 to the power of this many uses.
    scale: u32,
}

/// Uses that are kept as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The last of them.
    pub(crate) at: Tick,
    pub(crate) uses: u32,
    /// The last checkout among them; 0 if that is not known.
    pub(crate) serial: u64,
}

impl Tally {
    /// With room for the uses that a limit allows.
    pub(super) fn with_room(uses: u32) -> Self {
        let groups = VecDeque::with_capacity(MAX_GROUPS.min(uses as usize));
        Self { groups, ..Self::default() }
    }

    #[inline]
    pub(super) fn bring_near(&self) {
        black_box((self.groups.is_empty(), self.total, self.scale));
    }

    #[inline]
    pub(super) fn bring_nearer(&self) {
        black_box((self.groups.front().map(|group| group.at), self.groups.back().map(|group| group.at)));
    }

    #[inline]
    pub(super) fn record(&mut self, serial: u64, now: Tick) {
        self.forget(now);
        let is_next = self
            .groups
            .back()
            .is_none_or(|newest| newest.at <= now && newest.serial <= serial && newest.uses >> self.scale > 0);
        if is_next && self.groups.len() < MAX_GROUPS && self.total < u32::MAX {
            self.total += 1;
            self.groups.push_back(Group { at: now, uses: 1, serial });
        } else {
            self.add(Group { at: now, uses: 1, serial });
        }
        self.peak = self.peak.max(self.total);
    }

    /// Uses that were made elsewhere, or before the start. Groups come oldest first.
    pub(super) fn add(&mut self, Group { at, uses, serial }: Group) {
        // A thread that read the clock earlier may get here later.
        let (at, serial) =
            self.groups.back().map_or((at, serial), |newest| (newest.at.max(at), newest.serial.max(serial)));
        // A damaged database may hold any number: the total is always that of the groups.
        let uses = uses.min(u32::MAX - self.total);
        if uses == 0 {
            return;
        }
        self.total += uses;
        match self.groups.back_mut() {
            Some(newest) if newest.uses < 1 << self.scale => *newest = Group { at, uses: newest.uses + uses, serial },
            _ => {
                if self.groups.len() == MAX_GROUPS {
                    self.coarsen();
                }
                self.groups.push_back(Group { at, uses, serial });
            }
        }
    }

    /// Takes the newest use back: the server did not count it.
    pub(super) fn take_back(&mut self) {
        let Some(newest) = self.groups.back_mut() else { return };
        newest.uses -= 1;
        self.total -= 1;
        if newest.uses == 0 {
            self.groups.pop_back();
        }
    }

    /// Forgets what no window holds.
    #[inline]
    fn forget(&mut self, now: Tick) {
        while let Some(oldest) = self.groups.front().filter(|oldest| oldest.at.plus(WINDOW) <= now) {
            self.total -= oldest.uses;
            self.groups.pop_front();
        }
        if self.groups.len() < MAX_GROUPS / 4 {
            self.scale = self.scale.saturating_sub(1);
        }
    }

    /// Makes one of each two neighbours.
    fn coarsen(&mut self) {
        self.scale += 1;
        let groups = self.groups.make_contiguous();
        for pair in 0..MAX_GROUPS / 2 {
            let (first, second) = (groups[2 * pair], groups[2 * pair + 1]);
            groups[pair] = Group { uses: first.uses + second.uses, ..second };
        }
        self.groups.truncate(MAX_GROUPS / 2);
    }

    /// The first instant at which fewer than `limit` uses are in the window.
    #[inline]
    pub(super) fn ready_at(&self, limit: u32) -> Tick {
        self.total.checked_sub(limit).map_or(Tick::ZERO, |excess| self.without(excess))
    }

    /// The first instant at which more than `excess` uses have left the window.
    fn without(&self, mut excess: u32) -> Tick {
        // So many uses, and one more, have to leave.
        for group in &self.groups {
            match excess.checked_sub(group.uses) {
                Some(left) => excess = left,
                None => return group.at.plus(WINDOW),
            }
        }
        Tick::ZERO
    }

    /// Uses in the minute before `now`.
    pub(super) fn in_minute(&self, now: Tick) -> u32 {
        self.recent(now).map(|group| group.uses).sum()
    }

    /// The most uses that a minute held.
    pub(super) fn peak(&self) -> u32 {
        self.peak
    }

    /// When this checkout was, if it is among the uses.
    pub(super) fn time_of(&self, serial: u64) -> Option<Tick> {
        let place = self.groups.partition_point(|group| group.serial < serial);
        self.groups.get(place).map(|group| group.at)
    }

    /// When the oldest use of the last minute was.
    pub(super) fn oldest(&self, now: Tick) -> Option<Tick> {
        self.recent(now).last().map(|group| group.at)
    }

    /// The groups of the last minute, newest first.
    pub(super) fn recent(&self, now: Tick) -> impl Iterator<Item = Group> {
        self.groups.iter().rev().copied().take_while(move |group| group.at.plus(MINUTE) > now)
    }
}
