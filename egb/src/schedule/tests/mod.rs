//! Tests of the order: what it promises (here), against a naive model, and its shares of traffic.

use super::members::{MAX_INTERVAL, MIN_INTERVAL, interval};
use super::*;

mod model;
mod shares;

const NOW: Tick = Tick(1_000);

/// A schedule of keys never used, numbered from 0.
fn schedule(weights: &[f64]) -> Schedule {
    let mut schedule = Schedule::new(1);
    schedule.insert_all((0..).zip(weights).map(|(id, &weight)| (id, weight, None)));
    schedule
}

/// Uses the next key.
fn pick(schedule: &mut Schedule) -> SlotId {
    let id = schedule.pop(NOW).expect("a key waits");
    schedule.requeue(id);
    id
}

fn picks(schedule: &mut Schedule, count: usize) -> Vec<SlotId> {
    (0..count).map(|_| pick(schedule)).collect()
}

#[test]
fn keys_of_equal_weight_take_turns() {
    let mut schedule = schedule(&[1.0; 100]);
    let first_round = picks(&mut schedule, 100);
    let mut sorted = first_round.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    for _ in 0..1_000 {
        assert_eq!(picks(&mut schedule, 100), first_round);
    }
}

#[test]
fn an_empty_schedule_has_no_next_key() {
    let mut schedule = schedule(&[]);
    assert_eq!(schedule.pop(NOW), None);
    assert_eq!(schedule.next_due(), None);
    schedule.insert_all([(3, 1.0, None)]);
    assert_eq!(schedule.pop(NOW), Some(3));
    assert_eq!(schedule.pop(NOW), None);
}

#[test]
fn keys_never_used_come_first_and_the_others_by_last_use() {
    let mut schedule = Schedule::new(1);
    let used = [Some(30), None, Some(10), None, Some(20)];
    schedule.insert_all((0..).zip(used).map(|(id, used)| (id, 1.0, used)));
    assert_eq!(picks(&mut schedule, 5), [1, 3, 2, 4, 0]);
}

#[test]
fn processes_that_start_together_begin_with_different_keys() {
    let first_key = |seed, weight: fn(SlotId) -> f64| {
        let mut schedule = Schedule::new(seed);
        let mut keys: Vec<_> = (0..1_000).map(|id| (id, weight(id), None)).collect();
        schedule.shuffle(&mut keys);
        schedule.insert_all(keys);
        schedule.pop(NOW)
    };
    for weight in [|_| 1.0, |id| 1.0 + f64::from(id)] {
        let mut first: Vec<_> = (0..20).map(|seed| first_key(seed, weight)).collect();
        assert_eq!(first[3], first_key(3, weight), "the seed decides");
        first.sort_unstable();
        first.dedup();
        assert!(first.len() > 10, "{first:?}");
    }
}

#[test]
fn keys_added_later_are_due_at_once() {
    let mut schedule = schedule(&[1.0, 1.0, 5.0]);
    picks(&mut schedule, 20);
    schedule.insert_all([(3, 1.0, Some(5)), (4, 1.0, Some(4)), (5, 1.0, None)]);
    assert_eq!(picks(&mut schedule, 3), [5, 4, 3]);
}

#[test]
fn a_slot_can_get_another_key() {
    let mut schedule = schedule(&[1.0, 1.0]);
    schedule.hold(0);
    schedule.insert_all([(0, 2.0, None), (0, 2.0, None)]);
    assert_eq!((schedule.queued_len(), schedule.held_len()), (2, 0));
    schedule.remove(0);
    schedule.remove(0);
    assert_eq!(picks(&mut schedule, 3), [1, 1, 1]);
}

#[test]
fn a_parked_key_comes_back_at_its_instant_and_no_earlier() {
    let mut schedule = schedule(&[1.0]);
    schedule.park(0, Tick(50));
    assert_eq!(schedule.next_due(), Some(Tick(50)));
    assert_eq!(schedule.pop(Tick(49)), None);
    assert_eq!(schedule.pop(Tick(50)), Some(0));
}

#[test]
fn parking_again_replaces_the_instant() {
    let mut schedule = schedule(&[1.0]);
    schedule.park(0, Tick(50));
    schedule.park(0, Tick(20));
    assert_eq!((schedule.next_due(), schedule.parked_len()), (Some(Tick(20)), 1));
    schedule.park(0, Tick(80));
    assert_eq!(schedule.pop(Tick(79)), None);
    assert_eq!(schedule.pop(Tick(80)), Some(0));
}

#[test]
fn a_key_that_missed_its_turn_is_next_when_it_comes_back() {
    let mut schedule = schedule(&[1.0; 10]);
    let away = schedule.pop(NOW).expect("a key waits");
    schedule.park(away, Tick(2_000));
    picks(&mut schedule, 1_000);
    assert_eq!(schedule.pop(Tick(2_000)), Some(away));
}

#[test]
fn a_key_that_comes_back_before_its_turn_waits_for_it() {
    // Else a failing key with short cooldowns would get every other call.
    let mut schedule = schedule(&[1.0; 10]);
    let order = picks(&mut schedule, 10);
    let away = schedule.pop(NOW).expect("a key waits");
    schedule.mark_used(away);
    schedule.park(away, NOW);
    assert_eq!(picks(&mut schedule, 10), [&order[1..], &[away]].concat());
}

#[test]
fn a_held_key_comes_back_only_when_put_back() {
    let mut schedule = schedule(&[1.0, 1.0]);
    let held = schedule.pop(NOW).expect("a key waits");
    schedule.hold(held);
    assert!(schedule.is_held(held));
    assert!(!picks(&mut schedule, 100).contains(&held));
    schedule.put_back(held);
    assert_eq!(pick(&mut schedule), held);
}

#[test]
fn a_change_of_weight_moves_a_waiting_key_at_once() {
    let mut schedule = schedule(&[1.0; 100]);
    let order = picks(&mut schedule, 100);
    // Its last turn is half a round ago, and its interval now shorter than that.
    picks(&mut schedule, 50);
    schedule.set_weight(order[60], 1.0);
    assert_ne!(pick(&mut schedule), order[60]);
    schedule.set_weight(order[60], 10.0);
    assert_eq!(pick(&mut schedule), order[60]);
}

#[test]
fn one_key_used_out_of_turn_costs_the_others_nothing() {
    let mut schedule = schedule(&[1.0, 1.0, 1.0, 4.0]);
    for _ in 0..10_000 {
        assert!(schedule.pop_this(0, NOW));
        schedule.requeue(0);
    }
    // The others catch up for two rounds at most, and all is as before.
    picks(&mut schedule, 21);
    let mut counts = [0; 4];
    for id in picks(&mut schedule, 7_000) {
        counts[id as usize] += 1;
    }
    assert!(counts.iter().zip([1_000, 1_000, 1_000, 4_000]).all(|(&count, share)| i32::abs(count - share) <= 2));
}

#[test]
fn keys_used_out_of_turn_come_last_in_the_order_of_use() {
    let mut schedule = schedule(&[1.0; 5]);
    let order = picks(&mut schedule, 5);
    for id in [order[0]; 1_000].into_iter().chain([order[2], order[0]]) {
        assert!(schedule.pop_this(id, NOW));
        schedule.requeue(id);
    }
    assert_eq!(picks(&mut schedule, 5), [1, 3, 4, 2, 0].map(|index| order[index]));
}

#[test]
fn a_weight_that_nobody_has_any_more_costs_nothing() {
    let mut schedule = schedule(&[1.0; 3]);
    for step in 0..1_000 {
        schedule.set_weight(0, 1.0 + f64::from(step));
        picks(&mut schedule, 3);
    }
    assert!(schedule.levels.capacity() <= 3);
}

#[test]
fn a_key_that_is_not_queued_cannot_be_popped() {
    let mut schedule = schedule(&[1.0; 3]);
    schedule.hold(0);
    schedule.park(1, Tick(5));
    assert!(!schedule.pop_this(0, Tick(9)));
    assert!(!schedule.pop_this(1, Tick(4)));
    assert!(schedule.pop_this(1, Tick(5)));
    assert!(schedule.pop_this(2, Tick(0)));
    assert!(!schedule.pop_this(2, Tick(9)));
    assert!(!schedule.pop_this(99, Tick(9)));
}

#[test]
fn keys_that_become_free_together_do_not_stay_together() {
    // One heavy key and a hundred light ones that were away: half of the picks are the heavy one's.
    let mut weights = vec![1.0; 100];
    weights.push(100.0);
    let mut schedule = schedule(&weights);
    for id in 0..100 {
        schedule.park(id, Tick(2_000));
    }
    picks(&mut schedule, 1_000);
    let mut next = || {
        let id = schedule.pop(Tick(2_000)).expect("a key waits");
        schedule.requeue(id);
        id
    };
    for _ in 0..200 {
        next();
    }
    let later: Vec<_> = (0..1_000).map(|_| next()).collect();
    let longest = later.chunk_by(|a, b| (*a == 100) == (*b == 100)).map(<[_]>::len).max();
    assert!(longest <= Some(8), "{longest:?} in a row");
}

#[test]
fn a_key_that_was_away_for_long_has_no_turns_to_catch_up() {
    let mut schedule = schedule(&[1.0, 1.0, 3.0]);
    schedule.hold(2);
    picks(&mut schedule, 1_000);
    schedule.put_back(2);
    let used = picks(&mut schedule, 10).into_iter().filter(|&id| id == 2).count();
    assert!((6..=7).contains(&used), "{used} of 10 for 3/5 of all weight");
}

#[test]
fn calls_for_a_slot_without_a_key_do_nothing() {
    let mut schedule = schedule(&[1.0]);
    for id in [1, 7, NONE] {
        schedule.requeue(id);
        schedule.mark_used(id);
        schedule.put_back(id);
        schedule.park(id, NOW);
        schedule.hold(id);
        schedule.set_weight(id, 2.0);
        schedule.remove(id);
    }
    assert_eq!((schedule.queued_len(), schedule.parked_len(), schedule.held_len()), (1, 0, 0));
    assert_eq!(pick(&mut schedule), 0);
}
