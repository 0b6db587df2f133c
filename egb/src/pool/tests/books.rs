//! Whatever happens in whatever order, the books balance.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::limits::Limits;
use crate::outcome::Reason;
use crate::pool::slot::SharedSlot;

#[derive(Clone, Debug)]
enum Op {
    Take(usize),
    /// A thread, and whether the lock is hard to get for it.
    TakeOf(usize, bool),
    TakeMany(usize),
    End(usize, Verdict),
    Fetch,
    Advance(u64),
    Reload(Vec<u32>),
    Reset,
    Report(u32, Verdict),
    SetEnabled(u32, bool),
    Merge(u32, u64),
    Drain,
    Reject,
}

fn op() -> impl Strategy<Value = Op> {
    let verdict = || {
        prop_oneof![
            4 => Just(Verdict::Success),
            1 => Just(Verdict::Neutral),
            1 => Just(Verdict::status(401)),
            1 => Just(Verdict::status(403)),
            2 => Just(Verdict::status(429)),
            3 => Just(Verdict::status(503)),
            1 => Just(Verdict::Failure(Failure::new(Reason::Network))),
        ]
    };
    prop_oneof![
        8 => (0..3_usize).prop_map(Op::Take),
        12 => (0..3_usize, prop::bool::weighted(0.3)).prop_map(|(thread, is_hard)| Op::TakeOf(thread, is_hard)),
        1 => (2..4_usize).prop_map(Op::TakeMany),
        2 => (0..6_u32, verdict()).prop_map(|(key, verdict)| Op::Report(key, verdict)),
        1 => (0..6_u32, any::<bool>()).prop_map(|(key, enable)| Op::SetEnabled(key, enable)),
        1 => (0..6_u32, 0..9_u64).prop_map(|(key, epoch)| Op::Merge(key, epoch)),
        1 => Just(Op::Reject),
        8 => (any::<prop::sample::Index>(), verdict()).prop_map(|(at, verdict)| Op::End(at.index(1000), verdict)),
        2 => Just(Op::Fetch),
        3 => (0..200_u64).prop_map(Op::Advance),
        1 => prop::collection::vec(0..12_u32, 1..6).prop_map(Op::Reload),
        1 => Just(Op::Reset),
        1 => Just(Op::Drain),
    ]
}

proptest! {
    #[test]
    fn the_books_balance_whatever_happens(
        ops in prop::collection::vec(op(), 1..150),
        looks in 1..9_usize,
        limits_scope in any::<bool>(),
    ) {
        // Keys 0 to 5; from 6 on the same ones, in other groups.
        let config = |n: u32| {
            let (key, is_moved) = (n % 6, n >= 6);
            let config = KeyConfig::new(format!("test-key-{key}")).weight(1.0 + f64::from(key));
            match key {
                0 => config.concurrency(2),
                1 => config.rpm(3),
                3 | 4 if is_moved => config.concurrency(1),
                3 => config.group("project").concurrency(2),
                4 => config.group("project").rpm(4),
                5 if !is_moved => config.group("another").concurrency(3),
                2 | 5 if is_moved => config.group("project"),
                _ => config,
            }
        };
        let limits = Limits::default().with_concurrency(2);
        let scope_limits = limits_scope.then(|| ("model-b".to_owned(), limits)).into_iter().collect();
        let bench = Bench::with((0..4).map(config), Vec::new(), Settings { learn: true, scope_limits, ..settings() });
        let mut open: Vec<(SharedSlot, u64, ScopeId, Lone)> = Vec::new();
        let scopes = [NO_SCOPE, bench.pool.scope("model-a"), bench.pool.scope("model-b")];
        for (at, op) in ops.into_iter().enumerate() {
            match op {
                Op::Take(scope) => {
                    let wanted = Wanted { scope: scopes[scope], ..Wanted::plain(1) };
                    if let Ok(taken) = bench.pool.checkout(&wanted) {
                        open.push((taken.keys.slots()[0].clone(), taken.serial, scopes[scope], Lone::One));
                    }
                }
                Op::TakeOf(thread, is_hard) => if let Some(taken) = bench.take_of(thread, is_hard) {
                    open.push((taken.keys.slots()[0].clone(), taken.serial, NO_SCOPE, Lone::One));
                },
                Op::TakeMany(count) => if let Ok(taken) = bench.pool.checkout(&Wanted::plain(count)) {
                    let slots = taken.keys.slots().iter().cloned();
                    open.extend(slots.map(|slot| (slot, taken.serial, NO_SCOPE, Lone::OneOfMany)));
                },
                Op::End(at, verdict) => if !open.is_empty() {
                    let (slot, serial, scope, lone) = open.swap_remove(at % open.len());
                    slot.home().settle(&slot, serial, scope, &verdict, lone);
                },
                Op::Fetch => drop(bench.pool.fetch()),
                Op::Advance(seconds) => bench.clock.advance(Duration::from_secs(seconds)),
                Op::Reload(mut wanted) => {
                    wanted.sort_unstable_by_key(|n| n % 6);
                    wanted.dedup_by_key(|n| *n % 6);
                    bench.reload(wanted.into_iter().map(config).collect());
                }
                Op::Reset => drop(bench.pool.reset()),
                Op::Report(key, verdict) => drop(bench.pool.report(config(key).key.fingerprint(), &verdict)),
                Op::SetEnabled(key, enable) => drop(bench.pool.set_enabled(config(key).key.fingerprint(), enable)),
                Op::Merge(key, epoch) => {
                    let mut record = record(config(key).key.expose_secret(), |state| {
                        state.epoch = epoch;
                        state.health.disabled = epoch % 3 == 2;
                    });
                    // What is stored of its counts is known here.
                    let find = |state: &mut State| state.find(&record.fingerprint).map(|id| state.entry(id).history.stored);
                    let known = bench.pool.locked(find);
                    record.counters = known.unwrap_or_default();
                    if known.is_some() {
                        bench.pool.merge(&[record]);
                    }
                }
                Op::Reject => bench.pool.rejected(&bench.drain()),
                Op::Drain => {
                    let batch = bench.drain();
                    bench.pool.committed(&batch);
                }
            }
            if at % looks > 0 {
                // Who looks has all keys back that threads have to themselves.
                continue;
            }
            let stats = bench.pool.stats();
            let state = bench.pool.state.lock();
            prop_assert_eq!(state.disabled, stats.disabled());
            prop_assert_eq!(state.index.len(), stats.total());
            prop_assert!(state.slots().all(|slot| state.find(&slot.key.fingerprint()) == Some(slot.id)));
            for lane in &state.lanes {
                let listed = lane.schedule.queued_len() + lane.schedule.parked_len();
                prop_assert!(listed + state.disabled <= stats.total());
            }
            for key in &stats.keys {
                prop_assert!(key.calls >= key.successes + key.failures);
            }
            // Those that began before the key was removed and put back are its calls as well.
            let mine = |key: &Key| open.iter().filter(|(slot, ..)| slot.key == *key).count();
            for entry in state.entries.iter().flatten() {
                prop_assert_eq!(entry.running() as usize, mine(&entry.slot.key));
                prop_assert!(entry.history.notes.earlier.iter().all(|slot| slot.running() > 0), "none is kept in vain");
                let quota = state.groups.quota(entry);
                // Of a group: those of its members now, and those that began in it before their key left.
                let group = entry.traits.group();
                let group_of = |key: &Key| state.find(&key.fingerprint()).and_then(|id| state.entry(id).traits.group());
                let is_shared = |slot: &Slot| match group {
                    Some(_) => slot.group() == group || group_of(&slot.key) == group,
                    None => slot.key == entry.slot.key,
                };
                let shared = || open.iter().filter(|(slot, ..)| is_shared(slot));
                prop_assert_eq!(quota.running() as usize, shared().count());
                if limits_scope {
                    let in_scope = shared().filter(|(_, _, scope, _)| *scope == scopes[2]).count();
                    prop_assert_eq!(quota.is_busy_within(&state.quotas, scopes[2]), in_scope >= 2);
                }
                let (id, now) = (entry.slot.id, bench.pool.now());
                for (scope, lane) in (NO_SCOPE..).zip(&state.lanes) {
                    if lane.schedule.is_queued(id) {
                        prop_assert!(!entry.main().health.disabled && !quota.is_busy(&state.quotas, scope));
                        prop_assert!(entry.ready_within(scope, &bench.pool.timeline) <= now);
                        prop_assert!(quota.budget.ready_at(scope) <= now);
                    }
                }
            }
        }
        for (slot, serial, scope, lone) in open {
            slot.home().settle(&slot, serial, scope, &Verdict::Neutral, lone);
        }
        bench.clock.advance(crate::policy::LONGEST_WAIT);
        for scope in scopes {
            let mut used = HashSet::new();
            for _ in 0..100 {
                bench.clock.advance(Duration::from_secs(61));
                let wanted = Wanted { scope, ..Wanted::plain(1) };
                if let Ok(taken) = bench.pool.checkout(&wanted) {
                    used.insert(taken.keys.key().fingerprint());
                    bench.end_in(scope, &taken, &Verdict::Success);
                }
            }
            let stats = bench.pool.stats();
            prop_assert_eq!(used.len(), stats.total() - stats.disabled(), "every key comes back, in every scope");
        }
    }
}

#[test]
fn another_attempt_is_a_use_and_no_call_that_began() {
    let bench = Bench::new(keys(1));
    bench.call(&Verdict::Neutral);
    let again = bench.pool.checkout(&Wanted { is_retry: true, ..Wanted::plain(1) }).unwrap();
    bench.end(&again, &Verdict::Success);
    let row = bench.pool.stats().keys.remove(0);
    assert_eq!((row.calls, row.begun, row.successes), (2, 1, 1));
    let added = bench.drain().remove(0).added;
    assert_eq!((added.calls, added.begun, added.successes), (2, 1, 1));
}

#[test]
fn successes_are_taken_from_a_slot_before_it_is_full() {
    for bench in [Bench::new(keys(1)), Bench::without_store(keys(1))] {
        let checkout = bench.take();
        let slot = &checkout.keys.slots()[0];
        slot.count_nearly_too_many_successes();
        let before = slot.successes();
        bench.end(&checkout, &Verdict::Success);
        assert_eq!(slot.successes(), 0);
        assert_eq!(bench.pool.stats().successes(), u64::try_from(before + 1).unwrap());
    }
}
