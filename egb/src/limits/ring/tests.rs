//! Tests of the ring: it holds what a queue holds, in whatever layout.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

impl Ring {
    fn of_width(width: u8) -> Self {
        Self { width, ..Self::default() }
    }

    fn add(&mut self, group: Packed, most: usize) {
        while self.is_full() {
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
        let mut ring = Ring { words: vec![0; 200].into(), ..Ring::default() };
        for (at, uses) in (1..).zip(&instants) {
            (0..*uses).for_each(|_| ring.push(Packed { at, uses: 1, serial: 0 }));
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
    assert_eq!(size_of::<Ring>(), 2 * size_of::<usize>() + 8);
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
fn uses_of_few_instants_are_counted_before_they_take_much_room() {
    let fill = |uses: u32, instants: u32| {
        let mut ring = Ring::default();
        (0..uses).for_each(|n| ring.add(Packed { at: n * instants / uses, uses: 1, serial: 0 }, 5_000));
        while ring.is_full() {
            ring.make_room(5_000);
        }
        let kept: u32 = ring.iter().map(|group| group.uses).sum();
        assert_eq!(kept, uses);
        (ring.groups(), ring.room(), ring.is_fine())
    };
    assert_eq!(fill(8, 4), (8, 16, true));
    assert_eq!(fill(8, 3), (3, 6, true));
    assert_eq!(fill(1_024, 600), (600, 1_024, true), "no more are kept singly");
    assert_eq!(fill(1_024, 1_024), (512, 1_024, false));
}
