//! Threads that do nothing but ask for keys, as fast as they can.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use egb::{Balancer, Error, ManualClock};

const KEYS: u32 = 64;

fn keys() -> impl Iterator<Item = String> {
    (0..KEYS).map(|n| format!("test-key-{n}"))
}

/// Calls until no key is free, and how many those were.
fn call_until_none_is_free(balancer: &Balancer) -> u64 {
    for calls in 0.. {
        match balancer.lease() {
            Ok(lease) => lease.success(),
            Err(Error::NoKeyFree { .. }) => return calls,
            Err(other) => panic!("{other}"),
        }
    }
    unreachable!("limits are met before")
}

#[test]
fn limits_are_used_up_and_never_exceeded_however_many_threads_ask() -> Result<(), Error> {
    const RPM: u32 = 5_000;
    let balancer = Balancer::builder().clock(ManualClock::new()).keys(keys()).rpm(RPM).in_memory().build()?;
    let is_over = AtomicBool::new(false);
    let calls: u64 = thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(|| call_until_none_is_free(&balancer))).collect();
        let watcher = scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                let stats = balancer.stats();
                assert_eq!(stats.total(), KEYS as usize);
                assert!(stats.keys.iter().all(|key| key.used_in_minute <= Some(RPM)));
                thread::yield_now();
            }
        });
        let calls = callers.into_iter().map(|caller| caller.join().expect("no panic")).sum();
        is_over.store(true, Ordering::SeqCst);
        watcher.join().expect("no panic");
        calls
    });
    assert_eq!(calls, u64::from(KEYS * RPM));
    let stats = balancer.stats();
    assert_eq!((stats.calls(), stats.successes()), (calls, calls));
    assert!(stats.keys.iter().all(|key| key.in_flight == 0 && key.used_in_minute == Some(RPM)));
    Ok(())
}

#[test]
fn failures_and_operators_among_them_lose_nothing() -> Result<(), Error> {
    const CALLS: u64 = 100_000;
    let balancer = Balancer::builder().clock(ManualClock::new()).keys(keys()).in_memory().build()?;
    thread::scope(|scope| {
        for caller in 0..4 {
            let balancer = &balancer;
            scope.spawn(move || {
                for call in 0..CALLS {
                    let lease = balancer.lease().expect("keys are free");
                    match (call + caller) % 1_000 {
                        // The request's own fault: no key is out for it.
                        0 => lease.end(404),
                        1 => drop(lease),
                        _ => lease.success(),
                    }
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..200 {
                balancer.disable(&"test-key-7".into()).expect("it is there");
                balancer.enable(&"test-key-7".into()).expect("it is there");
            }
        });
    });
    let stats = balancer.stats();
    assert_eq!(stats.available(), KEYS as usize);
    assert!(stats.keys.iter().all(|key| key.in_flight == 0));
    let each = 4 * CALLS / 1_000;
    assert_eq!((stats.calls(), stats.failures(), stats.successes()), (4 * CALLS, each, 4 * CALLS - 2 * each));
    Ok(())
}
