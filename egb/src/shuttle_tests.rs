//! Leases, waiting callers and the registry under the model checker shuttle, which runs their threads in thousands of
//! orders: `RUSTFLAGS="--cfg egb_shuttle" cargo test -p egb --lib shuttle`.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use shuttle::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use shuttle::thread;

use crate::sync::explore;
use crate::{Balancer, Error, Key, KeyConfig, ManualClock, Policy};

const FOR_EVER: Duration = Duration::from_secs(86_400);

fn balancer(configs: impl IntoIterator<Item = KeyConfig>) -> Balancer {
    let builder = Balancer::builder().clock(ManualClock::new()).seed(1).learn_limits(false).in_memory();
    configs.into_iter().fold(builder, crate::BalancerBuilder::key).build().unwrap()
}

/// Runs the threads to their ends.
fn together(threads: Vec<Box<dyn FnOnce() + Send>>) {
    let running: Vec<_> = threads.into_iter().map(thread::spawn).collect();
    running.into_iter().for_each(|thread| thread.join().unwrap());
}

fn boxed(thread: impl FnOnce() + Send + 'static) -> Box<dyn FnOnce() + Send> {
    Box::new(thread)
}

#[test]
fn each_call_is_counted_once_whatever_operators_do_meanwhile() {
    explore(|| {
        let balancer = balancer(["a", "b"].map(KeyConfig::from));
        let callers = (0..2).map(|caller| {
            let balancer = balancer.clone();
            boxed(move || {
                for call in 0..4 {
                    // A key is always left: one is enabled before another is disabled.
                    let lease = balancer.lease().unwrap();
                    match (call + caller) % 4 {
                        0 | 1 => lease.success(),
                        2 => lease.end(503),
                        _ => drop(lease),
                    }
                }
            })
        });
        let operator = balancer.clone();
        let operator = boxed(move || {
            let [a, b] = ["a", "b"].map(Key::from);
            operator.add("c").unwrap();
            operator.disable(&a).unwrap();
            operator.enable(&a).unwrap();
            operator.remove(&"c".into()).unwrap();
            operator.add("c").unwrap();
            operator.remove(&"c".into()).unwrap();
            operator.disable(&b).unwrap();
            operator.reset().unwrap();
            // With the calls that still run.
            operator.add("c").unwrap();
        });
        together(callers.chain([operator]).collect());
        let stats = balancer.stats();
        // Those of the removed key left with it.
        let (calls, judged) = (stats.calls(), stats.successes() + stats.failures());
        assert!(calls <= 8 && judged <= 6 && calls - judged <= 2, "{calls} calls, {judged} judged");
        assert!(stats.keys.iter().all(|key| key.in_flight == 0));
    });
}

/// A thread of a model finds the lock hard to get now and then, and has some keys to itself.
#[test]
fn keys_that_threads_have_to_themselves_are_counted_and_judged_as_ever() {
    explore(|| {
        let names = ["a", "b", "c", "d", "e", "f"];
        let balancer = balancer(names.map(|name| KeyConfig::new(name).rpm(4)));
        // What counts uses is made.
        (0..6).for_each(|_| balancer.lease().unwrap().success());
        let callers = (0..3).map(|caller| {
            let balancer = balancer.clone();
            boxed(move || {
                for call in 0..4 {
                    let lease = balancer.lease().unwrap();
                    match (call + caller) % 4 {
                        3 => lease.end(503),
                        _ => lease.success(),
                    }
                }
            })
        });
        let operator = balancer.clone();
        let operator = boxed(move || {
            let stats = operator.stats();
            assert!(stats.keys.len() == 6 && stats.keys.iter().all(|key| key.used_in_minute <= Some(4)));
            operator.disable(&"a".into()).unwrap();
            operator.add("g").unwrap();
            operator.enable(&"a".into()).unwrap();
        });
        together(callers.chain([operator]).collect());
        let stats = balancer.stats();
        assert_eq!((stats.calls(), stats.failures()), (18, 3));
        assert_eq!(stats.successes(), 15);
        assert!(stats.keys.iter().all(|key| key.in_flight == 0 && key.used_in_minute <= Some(4)));
    });
}

#[test]
fn counts_add_up() {
    explore(|| {
        let balancer = balancer(["a", "b"].map(KeyConfig::from));
        let callers = (0..3).map(|caller| {
            let balancer = balancer.clone();
            boxed(move || {
                for call in 0..3 {
                    let lease = balancer.lease().unwrap();
                    match (call + caller) % 3 {
                        0 => lease.success(),
                        1 => lease.end(400),
                        _ => drop(lease),
                    }
                }
            })
        });
        together(callers.collect());
        let stats = balancer.stats();
        assert_eq!((stats.calls(), stats.successes(), stats.failures()), (9, 3, 3));
        assert!(stats.keys.iter().all(|key| key.in_flight == 0));
    });
}

#[test]
fn a_key_never_serves_more_calls_than_it_may_and_no_waiting_caller_is_forgotten() {
    explore(|| {
        let balancer = balancer([KeyConfig::new("a").concurrency(1), KeyConfig::new("b").concurrency(1)]);
        let running: Arc<[AtomicUsize; 2]> = Arc::default();
        let callers = (0..4).map(|caller| {
            let (balancer, running) = (balancer.clone(), running.clone());
            boxed(move || {
                for call in 0..2 {
                    let lease = balancer.checkout().wait(FOR_EVER).lease().unwrap();
                    let key = usize::from(lease.key().expose_secret() == "b");
                    assert_eq!(running[key].fetch_add(1, Ordering::SeqCst), 0);
                    running[key].fetch_sub(1, Ordering::SeqCst);
                    if (caller + call) % 2 == 0 { lease.success() } else { drop(lease) }
                }
            })
        });
        together(callers.collect());
        assert_eq!(balancer.stats().calls(), 8);
    });
}

#[test]
fn calls_of_a_key_that_changes_its_group_leave_nothing_behind_in_any() {
    explore(|| {
        let in_group = |name: &str, group: &str| KeyConfig::new(name).group(format!("group-{group}")).concurrency(1);
        let balancer = balancer(["b", "c"].map(|name| in_group(name, name)));
        let moved_to = move |group: &str| in_group("a", group);
        balancer.add(moved_to("b")).unwrap();
        let callers = (0..3).map(|caller| {
            let balancer = balancer.clone();
            boxed(move || {
                for call in 0..2 {
                    let lease = balancer.checkout().wait(FOR_EVER).lease().unwrap();
                    if (caller + call) % 2 == 0 { lease.success() } else { drop(lease) }
                }
            })
        });
        let operator = balancer.clone();
        let operator = boxed(move || {
            operator.add(moved_to("c")).unwrap();
            operator.add(KeyConfig::new("a").concurrency(1)).unwrap();
            operator.remove(&"a".into()).unwrap();
            operator.add(moved_to("b")).unwrap();
        });
        together(callers.chain([operator]).collect());
        assert!(balancer.stats().keys.iter().all(|key| key.in_flight == 0));
        let leases = [(); 2].map(|()| balancer.lease().unwrap());
        assert_ne!(leases[0].key().expose_secret() == "c", leases[1].key().expose_secret() == "c");
        assert!(balancer.lease().is_err(), "each group has its one call");
    });
}

#[test]
fn a_caller_who_gives_up_passes_its_turn_on() {
    explore(|| {
        let balancer = balancer([KeyConfig::new("a").concurrency(1)]);
        let first = balancer.lease().unwrap();
        let quitter = balancer.clone();
        let quitter = boxed(move || {
            let checkout = quitter.checkout().wait(FOR_EVER);
            let waiting = pin!(checkout.lease_async());
            // It may have got its lease; dropping that is giving up as well.
            let _ = waiting.poll(&mut Context::from_waker(Waker::noop()));
        });
        let callers = (0..2).map(|_| {
            let balancer = balancer.clone();
            boxed(move || balancer.checkout().wait(FOR_EVER).lease().unwrap().success())
        });
        let holder = boxed(move || first.success());
        together(callers.chain([quitter, holder]).collect());
        assert_eq!(balancer.stats().successes(), 3);
        assert_eq!(balancer.stats().keys[0].in_flight, 0);
    });
}

#[test]
fn what_the_last_handle_leaves_to_running_calls_is_given_up_by_the_last_of_them() {
    struct Estate(Arc<AtomicUsize>);
    impl Drop for Estate {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    explore(|| {
        let balancer = balancer(["a", "b", "c"].map(KeyConfig::from));
        let ended = Arc::new(AtomicUsize::new(0));
        let given_up = Arc::new(AtomicUsize::new(0));
        let leases = [balancer.lease().unwrap(), balancer.leases(2).unwrap(), balancer.lease().unwrap()];
        let calls = leases.into_iter().zip(0..).map(|(lease, call)| {
            let (ended, given_up) = (ended.clone(), given_up.clone());
            boxed(move || {
                ended.fetch_add(1, Ordering::SeqCst);
                match call {
                    0 => lease.success(),
                    1 => lease.end(503),
                    _ => drop(lease),
                }
                assert!(given_up.load(Ordering::SeqCst) == 0 || ended.load(Ordering::SeqCst) == 3);
            })
        });
        let (closer, estate) = (balancer.clone(), Estate(given_up.clone()));
        let closer = boxed(move || drop(closer.pool().close(Box::new(estate))));
        together(calls.chain([closer]).collect());
        assert_eq!(given_up.load(Ordering::SeqCst), 1);
        let stats = balancer.stats();
        assert_eq!((stats.calls(), stats.successes(), stats.failures()), (3, 1, 2));
    });
}

#[test]
fn a_half_open_key_is_probed_by_one() {
    explore(|| {
        let clock = ManualClock::new();
        let builder = Balancer::builder().clock(clock.clone()).seed(1).policy(Policy::default()).in_memory();
        let balancer = builder.key("a").build().unwrap();
        for _ in 0..5 {
            balancer.lease().unwrap().end(503);
        }
        assert!(balancer.lease().is_err(), "the circuit is open");
        clock.advance(Duration::from_secs(600));
        let probes = Arc::new(AtomicU64::new(0));
        let callers = (0..3).map(|_| {
            let (balancer, probes) = (balancer.clone(), probes.clone());
            boxed(move || {
                if let Ok(lease) = balancer.lease() {
                    probes.fetch_add(1, Ordering::SeqCst);
                    lease.end(503);
                }
            })
        });
        together(callers.collect());
        assert_eq!(probes.load(Ordering::SeqCst), 1);
        assert!(balancer.lease().is_err(), "and it is open again");
    });
}

#[test]
fn a_name_is_registered_once() {
    explore(|| {
        let named = Arc::new(crate::registry::Named::new());
        let winners = Arc::new(AtomicUsize::new(0));
        let callers = (1..=3).map(|keys| {
            let (named, winners) = (named.clone(), winners.clone());
            boxed(move || {
                let own = balancer((0..keys).map(|n| KeyConfig::new(format!("key-{n}"))));
                match named.register("gemini".to_owned(), &own) {
                    Ok(()) => winners.store(keys, Ordering::SeqCst),
                    Err(error) => {
                        assert!(matches!(error, Error::AlreadyRegistered { .. }));
                        assert_ne!(named.get("gemini").unwrap().stats().total(), keys);
                    }
                }
            })
        });
        together(callers.collect());
        assert_eq!(named.get("gemini").unwrap().stats().total(), winners.load(Ordering::SeqCst));
    });
}
