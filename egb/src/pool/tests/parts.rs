//! Keys that threads have to themselves while they are in each other's way.

use std::collections::HashMap;
use std::task::Waker;

use proptest::prelude::*;

use super::*;
use crate::key::Fingerprint;
use crate::pool::parts::{CALLS, LONGEST};

const A: usize = 0;
const B: usize = 1;

/// A pool of which each key was used once.
fn used(configs: impl IntoIterator<Item = KeyConfig>) -> Bench {
    let bench = Bench::new(configs);
    for _ in 0..bench.pool.stats().total() {
        let taken = bench.take();
        bench.end(&taken, &Verdict::Success);
    }
    bench
}

impl Bench {
    /// The key of a checkout that ends at once.
    fn call_of(&self, thread: usize, is_hard: bool) -> Option<Fingerprint> {
        let taken = self.take_of(thread, is_hard)?;
        self.end(&taken, &Verdict::Success);
        Some(taken.keys.key().fingerprint())
    }

    fn calls_of(&self, thread: usize, calls: usize) -> Vec<Fingerprint> {
        (0..calls).map(|_| self.call_of(thread, false).expect("a key is free")).collect()
    }

    fn has_parts(&self) -> bool {
        self.pool.parts.are_out()
    }
}

#[test]
fn a_thread_has_half_of_the_keys_and_the_other_thread_has_the_others() {
    let bench = used(keys(8));
    let first = bench.call_of(A, true).unwrap();
    let of_a = bench.calls_of(A, 7);
    assert_eq!(of_a[3], first, "in turn");
    assert_eq!(of_a[4..], of_a[..3], "in turn");
    let of_b = bench.calls_of(B, 8);
    assert_eq!(of_b[4..], of_b[..4], "in turn");
    let each: HashSet<_> = of_a.iter().chain(&of_b).collect();
    assert_eq!(each.len(), 8);
    assert_eq!(bench.pool.stats().calls(), 8 + 16);
    assert!(!bench.has_parts(), "who looks has all keys back");
}

#[test]
fn a_third_thread_gets_a_part_of_what_is_left() {
    let bench = used(keys(12));
    bench.call_of(A, true);
    bench.call_of(B, true);
    let mut parts = [A, B, 2].map(|thread| bench.calls_of(thread, 12).into_iter().collect::<HashSet<_>>());
    assert_eq!(parts.each_ref().map(HashSet::len), [6, 3, 3]);
    let [a, b, rest] = &mut parts;
    assert!(a.is_disjoint(b) && a.is_disjoint(rest) && b.is_disjoint(rest));
}

#[test]
fn of_three_threads_one_that_goes_on_has_a_third_of_the_keys() {
    let bench = used(keys(30));
    bench.call_of(A, true);
    bench.call_of(B, true);
    bench.calls_of(2, CALLS as usize / 4);
    bench.calls_of(A, CALLS as usize - 1);
    let third: HashSet<_> = bench.calls_of(A, 100).into_iter().collect();
    assert_eq!(third.len(), 10);
}

#[test]
fn a_part_ends_after_its_calls_and_goes_on_if_others_called_meanwhile() {
    for others in [CALLS / 8, CALLS / 8 + 1] {
        let bench = used(keys(8));
        bench.call_of(A, true);
        bench.calls_of(B, others as usize);
        bench.calls_of(A, CALLS as usize - 1);
        assert!(bench.has_parts());
        bench.call_of(A, false);
        assert_eq!(bench.has_parts(), others > CALLS / 8, "after {others} calls of others");
    }
}

#[test]
fn a_part_ends_when_its_thread_does_something_else() {
    for thread in [A, B] {
        let bench = used(keys(8));
        bench.call_of(A, true);
        bench.clock.advance(LONGEST);
        bench.call_of(thread, false);
        assert!(bench.has_parts());
        bench.clock.advance(Duration::from_millis(1));
        bench.call_of(thread, false);
        assert!(!bench.has_parts(), "thread {thread} calls");
        let each: HashSet<_> = bench.calls_of(thread, 8).into_iter().collect();
        assert_eq!(each.len(), 8);
    }
}

#[test]
fn only_keys_that_nothing_but_a_count_depends_on_are_in_a_part() {
    let limited = |n: usize| KeyConfig::new(format!("limited-key-{n}"));
    let others: [fn(KeyConfig) -> KeyConfig; 2] = [|key| key.group("project"), |key| key.concurrency(100)];
    for other in others {
        // Half of the keys, and one less.
        for (plain, others, is_part) in [(4, 4, true), (4, 5, true), (3, 5, false)] {
            let bench = used(keys(plain).chain((0..others).map(|n| other(limited(n)))));
            bench.call_of(A, true).unwrap();
            assert_eq!(bench.has_parts(), is_part, "{plain} keys, and {others}");
            if is_part {
                let mine: HashSet<_> = bench.calls_of(A, 8).into_iter().collect();
                assert!((0..others).all(|n| !mine.contains(&limited(n).key.fingerprint())));
            }
        }
    }
    // What counts uses is not made yet.
    let bench = Bench::new(keys(8).map(|key| key.rpm(5)));
    bench.call_of(A, true).unwrap();
    assert!(!bench.has_parts());
}

#[test]
fn there_are_no_parts_of_a_pool_that_is_too_small_or_too_large_or_waited_for() {
    for (count, is_part) in [(1, false), (3, false), (4, true), (2 * 1_024 + 1, true), (2 * 1_024 + 2, false)] {
        let bench = used(keys(count));
        bench.call_of(A, true).unwrap();
        assert_eq!(bench.has_parts(), is_part, "{count} keys");
    }
    let bench = used(keys(8));
    let held: Vec<_> = (0..8).map(|_| bench.take()).collect();
    let wanted = Wanted { excluded: &(0..8).collect::<Vec<_>>(), ..Wanted::plain(1) };
    assert!(bench.pool.checkout_in_line(&wanted, None, Waker::noop()).is_err(), "it has tried all");
    bench.call_of(A, true).unwrap();
    assert!(!bench.has_parts());
    drop(held);
}

#[test]
fn a_limit_holds_in_a_part_and_a_key_that_spent_it_comes_back_in_time() {
    let bench = used(keys(8).map(|key| key.rpm(3)));
    let mut uses: HashMap<Fingerprint, u32> = HashMap::new();
    assert!(bench.call_of(A, true).is_some_and(|key| uses.insert(key, 2).is_none()));
    for call in 0.. {
        let Some(key) = bench.call_of(A, call % 3 == 0) else { break };
        *uses.entry(key).or_insert(1) += 1;
    }
    assert_eq!(uses.into_values().collect::<Vec<_>>(), [3; 8]);
    assert_eq!(bench.shortage().parked, 8);
    bench.clock.advance(Duration::from_secs(61));
    assert_eq!(bench.calls_of(B, 24).len(), 24);
}

#[test]
fn an_end_that_is_news_is_judged_while_the_key_is_in_a_part() {
    let bench = used(keys(8));
    let taken = bench.take_of(A, true).unwrap();
    let key = taken.keys.key().fingerprint();
    bench.calls_of(A, 3);
    bench.end(&taken, &Verdict::status(401));
    assert!(!bench.has_parts());
    assert_eq!(bench.pool.stats().disabled(), 1);
    bench.call_of(A, true).unwrap();
    assert!(!bench.calls_of(A, 20).contains(&key) && !bench.calls_of(B, 20).contains(&key));
}

#[test]
fn numbers_that_a_part_did_not_need_are_given_to_others() {
    let bench = used(keys(8));
    bench.call_of(A, true);
    bench.calls_of(A, 4);
    bench.pool.stats();
    assert_eq!(bench.take().serial, 8 + 5 + 1);
}

/// A thread may have read the clock before another did, and get here after it.
#[test]
fn who_comes_late_uses_no_key_before_the_instant_of_a_use_in_a_part() {
    let bench = used(keys(8));
    let earlier = bench.pool.timeline.lately();
    bench.call_of(A, true);
    bench.clock.advance(Duration::from_millis(5));
    bench.call_of(A, false);
    let last_use = || bench.pool.stats().keys.iter().map(|key| key.last_used.unwrap()).max();
    let before = last_use();
    let mut state = bench.pool.state.lock();
    let taken = state.take_at_hand(NO_SCOPE, earlier, true, &bench.pool.timeline).expect("a key is at hand");
    drop(state);
    let key = taken.keys.key().fingerprint();
    assert!(bench.pool.stats().keys.iter().any(|row| row.fingerprint == key && row.last_used == before));
}

#[test]
fn what_was_used_in_a_part_is_written() {
    let bench = used(keys(8));
    bench.drain();
    assert!(bench.take_of(A, true).unwrap().wake, "the writer has nothing to do yet");
    assert!(!bench.take_of(A, false).unwrap().wake);
    assert!(!bench.take_of(B, false).unwrap().wake);
    let calls: i64 = bench.drain().iter().map(|change| change.added.calls).sum();
    assert_eq!(calls, 3);
    assert!(bench.take_of(A, true).unwrap().wake);
}

/// What threads do: a call each, some of which find the lock hard to get.
fn calls() -> impl Strategy<Value = Vec<(usize, bool)>> {
    prop::collection::vec((0..3_usize, prop::bool::weighted(0.1)), 0..120)
}

proptest! {
    #[test]
    fn no_checkout_has_the_number_of_another_and_those_of_a_key_grow(calls in calls(), count in 4..30_usize) {
        let bench = used(keys(count));
        let (mut numbers, mut last) = (HashSet::new(), HashMap::new());
        for (at, (thread, is_hard)) in calls.into_iter().enumerate() {
            let taken = bench.take_of(thread, is_hard).expect("a key is free");
            prop_assert!(numbers.insert(taken.serial));
            prop_assert!(last.insert(taken.keys.key().fingerprint(), taken.serial).is_none_or(|last| last < taken.serial));
            if at % 50 == 49 {
                bench.pool.stats();
            }
        }
        let latest = bench.pool.state.lock().serial;
        prop_assert!(numbers.into_iter().all(|number| number <= latest) || bench.has_parts());
    }

    #[test]
    fn keys_that_were_not_used_are_as_if_they_had_never_been_drawn(calls in calls(), count in 4..30_usize) {
        let bench = used(keys(count));
        // All that would come next, in order.
        let before: Vec<_> = bench.calls_of(A, count);
        let used: HashSet<_> =
            calls.into_iter().filter_map(|(thread, is_hard)| bench.call_of(thread, is_hard)).collect();
        bench.pool.stats();
        let unused: Vec<_> = before.into_iter().filter(|key| !used.contains(key)).collect();
        prop_assert_eq!(bench.calls_of(B, unused.len()), unused);
        let each: HashSet<_> = bench.calls_of(B, count).into_iter().collect();
        prop_assert_eq!(each.len(), count, "each has its turn");
    }
}

#[test]
fn shares_are_equal_whoever_calls_more() {
    for calls_of_b in [1, 3] {
        let bench = used(keys(60));
        let mut uses: HashMap<Fingerprint, f64> = HashMap::new();
        for _ in 0..400 {
            let mut calls: Vec<_> = bench.call_of(A, true).into_iter().collect();
            assert!(bench.has_parts());
            for _ in 0..200 {
                calls.extend(bench.calls_of(A, 1));
                calls.extend(bench.calls_of(B, calls_of_b));
            }
            calls.into_iter().for_each(|key| *uses.entry(key).or_default() += 1.0);
            bench.clock.advance(2 * LONGEST);
        }
        let due = uses.values().sum::<f64>() / 60.0;
        for (key, uses) in uses {
            assert!((uses / due - 1.0).abs() < 0.15, "{key}: {uses} of {due}, B calls {calls_of_b} times as often");
        }
    }
}

/// A part of keys of other weights would have to be called for more, or less, than its thread calls.
#[test]
fn there_are_no_parts_where_weights_differ() {
    let heavy = |n: usize, key: KeyConfig| if n == 3 { key.weight(100.0) } else { key };
    let bench = used(keys(10).enumerate().map(|(n, key)| heavy(n, key)));
    let mut uses = 0.0;
    for call in 0..2_000 {
        let key = bench.call_of(call % 2, call % 50 < 2).unwrap();
        uses += f64::from(u8::from(key == Key::from("test-key-3").fingerprint()));
    }
    assert!(!bench.has_parts());
    assert!((uses / 2_000.0 - 100.0 / 109.0_f64).abs() < 0.01, "{uses}");
    // Nor where a key's health is not what it was.
    let bench = used(keys(8));
    let taken = bench.take();
    bench.end(&taken, &Verdict::status(503));
    bench.call_of(A, true).unwrap();
    assert!(!bench.has_parts());
}

#[test]
fn there_are_no_parts_of_a_pool_of_which_few_keys_are_in_line() {
    for (count, is_part) in [(4 * 1_024, true), (4 * 1_024 + 1, false)] {
        let bench = used(keys(count));
        let held: Vec<_> = keys(count).skip(1_000).map(|config| config.key.fingerprint()).collect();
        held.iter().for_each(|key| assert!(bench.pool.set_enabled(*key, false).is_some()));
        bench.call_of(A, true).unwrap();
        assert_eq!(bench.has_parts(), is_part, "{count} keys");
    }
}
