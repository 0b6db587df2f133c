//! Thousands who wait at once: in which order they are served, and how many of them are woken.

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use egb::{Balancer, Failure, Key, KeyConfig, balanced};
use parking_lot::Mutex;

use super::{ApiError, Bench, Callers, MINUTE, SECOND, keys};

/// Lets others run once.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[balanced(balancer = bench.balancer, wait = "24h")]
async fn served(lease: egb::Lease, bench: &Bench, number: usize, log: &Mutex<Vec<usize>>) -> Result<(), ApiError> {
    log.lock().push(number);
    yield_once().await;
    if number.is_multiple_of(50) {
        // So that keys come back by time as well.
        lease.end(Failure::status(429).with_retry_after(SECOND));
    }
    Ok(())
}

/// Pseudorandom numbers below `below`.
fn random(dice: &mut u64, below: usize) -> usize {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    usize::try_from(*dice >> 33).unwrap() % below
}

/// Ten thousand callers, three keys with a call at a time that rest now and then: all are served in the order in
/// which they came, whoever gives up meanwhile, waiting, woken or served.
#[test]
fn ten_thousand_are_served_in_the_order_in_which_they_came_whoever_gives_up() {
    const CALLERS: usize = 10_000;
    let bench = Bench::new(keys(3).map(|key| key.concurrency(1)));
    let (log, mut callers, mut dice) = (Mutex::new(Vec::new()), Callers::default(), 0x9e37_79b9_7f4a_7c15);
    for number in 0..CALLERS {
        callers.start(Box::pin(served(&bench, number, &log)));
    }
    assert_eq!(log.lock().len(), 3, "the others wait");
    let mut gave_up = vec![false; CALLERS];
    while !callers.all_are_done() {
        // One in seven, of all and of those that were woken and have not looked.
        let last = callers.woken.lock().last().copied();
        for number in [Some(random(&mut dice, CALLERS)), last].into_iter().flatten() {
            if random(&mut dice, 7) == 0 && callers.give_up(number) {
                gave_up[number] = true;
            }
        }
        if !callers.step() {
            bench.clock.advance(bench.clock.next_wake().expect("somebody starves"));
        }
    }
    let log = log.lock().clone();
    assert!(log.is_sorted_by(|earlier, later| earlier < later), "out of order");
    let of = |wanted: bool| (0..CALLERS).filter(|&number| gave_up[number] == wanted).collect::<Vec<_>>();
    assert!(of(false).iter().all(|number| log.binary_search(number).is_ok()), "somebody is lost");
    assert!(callers.failed.is_empty());
    let (gone, served_and_gone) = (of(true).len(), of(true).iter().filter(|n| log.binary_search(n).is_ok()).count());
    assert!(gone > 1_000 && gone > served_and_gone && served_and_gone > 100, "{gone} gave up, {served_and_gone} late");
    let stats = bench.balancer.stats();
    assert_eq!(stats.uses(), log.len() as u64);
    assert!(stats.keys.iter().all(|key| key.in_flight == 0));
}

/// The same on threads, where the order is anybody's guess: nobody is lost, and no key has two calls at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_tasks_on_threads_are_served_whoever_gives_up() {
    #[balanced(balancer = pool, wait = "10m")]
    async fn call(key: Key, pool: Balancer, running: Arc<[AtomicUsize; 3]>) -> Result<(), ApiError> {
        /// The place comes back when the call is cancelled, too.
        struct Inside<'a>(&'a AtomicUsize);
        impl Drop for Inside<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        let number: usize = key.expose_secret().trim_start_matches("test-key-").parse().expect("it ends with one");
        let others = running[number].fetch_add(1, Ordering::SeqCst);
        let _inside = Inside(&running[number]);
        assert_eq!(others, 0);
        tokio::task::yield_now().await;
        Ok(())
    }
    let configs = keys(3).map(|key| key.concurrency(1));
    let pool = configs.fold(Balancer::builder(), egb::BalancerBuilder::key).build().unwrap();
    let running: Arc<[AtomicUsize; 3]> = Arc::default();
    let tasks = (0..10_000).map(|_| tokio::spawn(call(pool.clone(), Arc::clone(&running))));
    let mut tasks: Vec<_> = tasks.collect();
    for task in tasks.iter().step_by(5) {
        tokio::task::yield_now().await;
        task.abort();
    }
    let mut done = 0;
    for (number, task) in tasks.drain(..).enumerate() {
        match task.await {
            Ok(result) => {
                result.unwrap();
                done += 1;
            }
            Err(error) => assert!(error.is_cancelled() && number % 5 == 0, "{number}: {error}"),
        }
    }
    assert!(done >= 8_000, "{done}");
    let stats = pool.stats();
    assert_eq!(stats.successes(), done);
    assert!(stats.keys.iter().all(|key| key.in_flight == 0));
}

#[balanced(balancer = bench.balancer, retries = 1, wait = "24h")]
async fn elsewhere(
    _key: Key,
    bench: &Bench,
    number: usize,
    tries: &Cell<u32>,
    log: &Mutex<Vec<usize>>,
) -> Result<(), ApiError> {
    tries.set(tries.get() + 1);
    if tries.get() == 1 {
        return Err(ApiError::NoSuchModel);
    }
    log.lock().push(number);
    Ok(())
}

#[test]
fn of_thousands_that_wait_for_another_key_one_is_woken_for_each_that_comes_back() {
    const CALLERS: usize = 2_000;
    let bench = Bench::new(keys(1).chain([KeyConfig::new("test-key-slow").rpm(1)]));
    let slow = "test-key-slow".into();
    bench.balancer.report(&slow, Failure::status(429).with_retry_after(10 * SECOND));
    let (log, tries) = (Mutex::new(Vec::new()), vec![Cell::new(0); CALLERS]);
    let mut callers = Callers::default();
    for (number, tries) in tries.iter().enumerate() {
        callers.start(Box::pin(elsewhere(&bench, number, tries, &log)));
    }
    while callers.step() {}
    assert_eq!((log.lock().len(), callers.running.iter().flatten().count()), (0, CALLERS));
    callers.polls = 0;
    for round in 1..=20 {
        bench.clock.advance(if round == 1 { 10 * SECOND } else { MINUTE + SECOND });
        while callers.step() {}
        assert_eq!(*log.lock(), (0..round).collect::<Vec<_>>(), "one a minute, in order");
    }
    assert!(callers.polls < 20 * 10, "{} looked for 20 that got the key", callers.polls);
    // Others use the key that they have tried.
    for _ in 0..20 {
        bench.balancer.lease().unwrap().end(400);
        while callers.step() {}
    }
    assert!(callers.polls < 40 * 10, "{}", callers.polls);
    // Those before one in the middle give up, and it is not forgotten.
    for number in 0..500 {
        callers.give_up(number);
    }
    bench.clock.advance(MINUTE + SECOND);
    while callers.step() {}
    assert_eq!(log.lock()[19..], [19, 500]);
}

#[test]
fn a_key_that_comes_back_serves_all_who_wait_for_another() {
    let bench = Bench::new(keys(3));
    for n in 1..3 {
        let key = format!("test-key-{n}").into();
        bench.balancer.report(&key, Failure::status(429).with_retry_after(10 * SECOND));
    }
    let (log, tries) = (Mutex::new(Vec::new()), vec![Cell::new(0); 200]);
    let mut callers = Callers::default();
    for (number, tries) in tries.iter().enumerate() {
        callers.start(Box::pin(elsewhere(&bench, number, tries, &log)));
    }
    while callers.step() {}
    assert_eq!(log.lock().len(), 0);
    bench.clock.advance(10 * SECOND);
    while callers.step() {}
    assert!(callers.all_are_done());
    assert_eq!(*log.lock(), (0..200).collect::<Vec<_>>());
}
