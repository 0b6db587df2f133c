//! Tests of the tally: it says what a list of all uses says.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// The same, as a list of single uses with their checkouts.
#[derive(Default)]
struct Plain(Vec<(Tick, Option<u64>)>);

impl Plain {
    fn forget(&mut self, now: Tick) {
        self.0.retain(|(at, _)| at.plus(WINDOW) > now);
    }

    fn add(&mut self, serial: Option<u64>, at: Tick) {
        let (newest, last) = self.0.last().copied().unwrap_or_default();
        // By the nanosecond it would be `at`: see `no_use_counts_for_shorter_than_the_window`.
        self.0.push((newest.max(rounded_up(at)), serial.or(last)));
    }

    fn ready_at(&self, limit: u32) -> Tick {
        let excess = self.0.len().checked_sub(limit as usize);
        excess.map_or(Tick::ZERO, |excess| self.0[excess].0.plus(WINDOW))
    }

    fn time_of(&self, serial: u64) -> Option<Tick> {
        self.0.iter().find(|(_, of)| of.is_some_and(|of| of >= serial)).map(|(at, _)| *at)
    }

    fn in_minute(&self, now: Tick) -> usize {
        self.0.iter().filter(|(at, _)| at.plus(MINUTE) > now).count()
    }
}

fn tally(limit: u32, learns: bool) -> Tally {
    let mut tally = Tally::default();
    tally.set_limit(NonZeroU32::new(limit), learns);
    tally
}

proptest! {
    #[test]
    fn it_says_what_a_list_of_all_uses_says(
        // Numbers that their low halves go round among, and those that they don't.
        first in prop_oneof![Just(0), (1_u64 << 32) - 200..(1 << 32) + 1, Just((7 << 32) + (1 << 31) - 50)],
        // The low halves of instants go round every 69 seconds.
        start in 3_600_000_000_000_u64..3_700_000_000_000,
        limit in 1_u32..40,
        mut learns in any::<bool>(),
        steps in vec((0_u8..16, 0_u64..20_000), 1..300),
    ) {
        let (mut tally, mut plain) = (tally(limit, learns), Plain::default());
        let (mut now, mut serial, mut most) = (Tick(start), first, 0);
        for (step, millis) in steps {
            match step {
                // The clock stands still now and then, and one that was read earlier may come later.
                0..4 => now = now.plus(Duration::from_millis(millis)),
                12 => now = now.plus(Duration::from_nanos(millis % 40)),
                // Nobody calls for a while.
                13 if millis % 8 == 0 => now = now.plus(Duration::from_millis(20 * millis)),
                4..9 => {
                    let at = if step == 4 { Tick(now.0 - millis) } else { now };
                    // Other keys are checked out in between.
                    serial += 2 + millis % 3;
                    tally.record(serial, at);
                    plain.forget(at);
                    plain.add(learns.then_some(serial), at);
                    most = most.max(plain.0.len());
                }
                // Many at a time now and then, which the groups have to have counts for.
                9 | 14 => {
                    let most = if step == 14 && millis % 4 == 0 { 20 } else { 4 };
                    let others = u32::try_from(millis % most).unwrap();
                    tally.add(Group { at: now, uses: others, serial: 0 });
                    plain.forget(now);
                    (0..others).for_each(|_| plain.add(None, now));
                }
                15 => if millis % 4 == 0 {
                    learns = !learns;
                    tally.set_limit(NonZeroU32::new(limit), learns);
                    plain.0.iter_mut().for_each(|(_, serial)| *serial = serial.filter(|_| learns));
                }
                _ => {
                    tally.take_back();
                    plain.0.pop();
                }
            }
            prop_assert_eq!(tally.ready_at(), plain.ready_at(limit));
            prop_assert_eq!(tally.in_minute(now) as usize, plain.in_minute(now));
            prop_assert_eq!(tally.oldest(now), plain.0.iter().map(|(at, _)| *at).find(|at| at.plus(MINUTE) > now));
            prop_assert_eq!(tally.peak() as usize, most);
        }
        for of in plain.0.iter().filter_map(|(_, serial)| *serial).filter(|_| learns) {
            prop_assert_eq!(tally.time_of(of, serial), plain.time_of(of));
        }
        prop_assert_eq!(tally.time_of(u64::MAX, serial), None);
    }

    #[test]
    fn no_use_counts_for_shorter_than_the_window(
        start in 3_600_000_000_000_u64..(1 << 50),
        pauses in vec(0_u64..100, 1..20),
    ) {
        let (mut tally, mut now) = (tally(1, false), Tick(start));
        for pause in pauses {
            now = Tick(now.0 + pause);
            tally.record(1, now);
            let ready = tally.ready_at();
            prop_assert!((now.plus(WINDOW)..Tick(now.plus(WINDOW).0 + UNIT)).contains(&ready), "{ready:?}");
            now = ready;
        }
    }
}

#[test]
fn many_uses_of_few_instants_are_counted_exactly() {
    let (mut tally, mut plain) = (tally(2_500, false), Plain::default());
    for uses in 1..=3_000 {
        let at = Tick(u64::from(uses / 700) * UNIT);
        tally.record(uses.into(), at);
        plain.add(None, at);
        assert_eq!((tally.in_minute(at), tally.ready_at()), (uses, plain.ready_at(2_500)));
    }
    assert!(tally.ring.is_fine());
}

#[test]
fn after_a_busy_minute_each_instant_counts_for_itself_again() {
    let mut tally = tally(1_000_000, false);
    (1..=5_000).for_each(|at| tally.record(at, Tick(at * UNIT)));
    assert!(tally.groups().count() < 1_024, "they are kept together");
    let mut plain = Plain::default();
    let begun = Tick::ZERO.plus(2 * WINDOW);
    // One use brings it a step nearer.
    for second in 0..20 {
        let at = begun.plus(Duration::from_secs(second));
        tally.record(5_001 + second, at);
        plain.add(None, at);
    }
    for limit in 1..15 {
        tally.set_limit(NonZeroU32::new(limit), false);
        assert_eq!(tally.ready_at(), plain.ready_at(limit), "{limit}");
    }
}

#[test]
fn uses_of_one_instant_are_one_group() {
    let mut tally = tally(1, true);
    for serial in 1..=5_000 {
        tally.record(serial, Tick(serial / 1_000 * UNIT));
    }
    assert_eq!(tally.groups().map(|group| group.uses).collect::<Vec<_>>(), [999, 1_000, 1_000, 1_000, 1_000, 1]);
    assert_eq!(tally.time_of(2_999, 5_000), Some(Tick(2 * UNIT)));
    (0..2).for_each(|_| tally.take_back());
    assert_eq!(tally.groups().last(), Some(Group { at: Tick(4 * UNIT), uses: 999, serial: 4_999 }));
}

#[test]
fn the_use_at_which_uses_begin_to_be_counted_joins_those_of_its_instant() {
    let mut tally = tally(2_000, false);
    (1..=1_024).for_each(|at| tally.record(at, Tick(at * UNIT)));
    tally.record(1_025, Tick(1_024 * UNIT));
    assert_eq!(tally.groups().map(|group| group.uses).collect::<Vec<_>>()[1_022..], [1, 2]);
}
