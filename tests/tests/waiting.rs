//! Those who wait for a key: in which order they are served, who is woken, and what becomes of those who give up.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use egb::{Balancer, Error, Failure, Key, KeyConfig, ManualClock, Reason, StatusCode, Verdict, balanced};
use parking_lot::Mutex;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
enum ApiError {
    #[error("this key has no such model")]
    NoSuchModel,
    #[error(transparent)]
    Balance(#[from] Error),
}

impl StatusCode for ApiError {
    fn status_code(&self) -> Option<u16> {
        None
    }
    fn reason(&self) -> Option<Reason> {
        match self {
            Self::NoSuchModel => Some(Reason::Model),
            Self::Balance(error) => error.reason(),
        }
    }
}

struct Bench {
    balancer: Balancer,
    clock: ManualClock,
}

impl Bench {
    fn new(keys: impl IntoIterator<Item = KeyConfig>) -> Self {
        let clock = ManualClock::new();
        let builder = Balancer::builder().clock(clock.clone()).learn_limits(false);
        let builder = keys.into_iter().fold(builder, egb::BalancerBuilder::key);
        Self { balancer: builder.build().unwrap(), clock }
    }
}

fn keys(count: usize) -> impl Iterator<Item = KeyConfig> {
    (0..count).map(|n| KeyConfig::new(format!("test-key-{n}")))
}

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

type Running<'a> = Pin<Box<dyn Future<Output = Result<(), ApiError>> + 'a>>;

/// An executor that polls who was woken last, so that the order in which callers are served is the pool's alone.
#[derive(Default)]
struct Callers<'a> {
    running: Vec<Option<Running<'a>>>,
    woken: Arc<Mutex<Vec<usize>>>,
    polls: usize,
    failed: Vec<usize>,
}

struct Caller {
    number: usize,
    woken: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.woken.lock().push(self.number);
    }
}

impl<'a> Callers<'a> {
    fn start(&mut self, caller: Running<'a>) {
        self.running.push(Some(caller));
        self.poll(self.running.len() - 1);
    }

    fn poll(&mut self, number: usize) {
        let waker = Arc::new(Caller { number, woken: Arc::clone(&self.woken) }).into();
        let Some(running) = &mut self.running[number] else { return };
        self.polls += 1;
        if let Poll::Ready(result) = running.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.running[number] = None;
            if result.is_err() {
                self.failed.push(number);
            }
        }
    }

    /// Polls one that was woken; false when there is none.
    fn step(&mut self) -> bool {
        let next = self.woken.lock().pop();
        next.map(|number| self.poll(number)).is_some()
    }

    fn give_up(&mut self, number: usize) -> bool {
        self.running[number].take().is_some()
    }

    fn all_are_done(&self) -> bool {
        self.running.iter().all(Option::is_none)
    }
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

#[balanced(balancer = pool, wait = "5s")]
async fn waits(key: Key, pool: &Balancer) -> Result<Key, ApiError> {
    Ok(key)
}

#[balanced(balancer = pool, wait = "5s")]
fn waits_sync(key: Key, pool: &Balancer) -> Result<Key, ApiError> {
    Ok(key)
}

#[test]
fn a_caller_who_does_not_wait_takes_no_key_from_those_who_do() {
    let bench = Bench::new([KeyConfig::new("test-key").concurrency(1)]);
    let held = bench.balancer.lease().unwrap();
    let mut waiting = pin!(waits(&bench.balancer));
    let mut context = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    held.success();
    assert!(bench.balancer.lease().is_err() && bench.balancer.key().is_err());
    assert!(waiting.as_mut().poll(&mut context).is_ready());
    assert!(bench.balancer.lease().is_ok());
}

#[test]
fn a_caller_who_does_not_wait_takes_no_key_from_one_who_waits_for_several() {
    let bench = Bench::new(keys(3).map(|key| key.concurrency(1)));
    let held = bench.balancer.lease().unwrap();
    let all = bench.balancer.checkout().keys(3).wait(5 * SECOND);
    let mut waiting = pin!(all.lease_async());
    let mut context = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    assert!(bench.balancer.lease().is_err() && bench.balancer.key().is_err(), "two are free, and spoken for");
    held.success();
    assert!(waiting.as_mut().poll(&mut context).is_ready());
}

#[test]
fn one_who_gives_up_lets_the_next_one_have_its_turn() {
    let bench = Bench::new([KeyConfig::new("test-key").concurrency(1)]);
    let held = bench.balancer.lease().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut first = Box::pin(waits(&bench.balancer));
    let mut second = pin!(waits(&bench.balancer));
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    held.success();
    assert!(second.as_mut().poll(&mut context).is_pending(), "it is the other's turn");
    drop(first);
    assert!(second.as_mut().poll(&mut context).is_ready());
}

#[test]
fn a_reset_wakes_those_who_wait() {
    let bench = Bench::new([KeyConfig::new("test-key").concurrency(1)]);
    bench.balancer.report(&"test-key".into(), Verdict::Failure(Failure::status(429).with_retry_after(4 * SECOND)));
    let woken = thread::scope(|scope| {
        let waiting = scope.spawn(|| waits_sync(&bench.balancer));
        while bench.clock.sleepers() == 0 {
            thread::yield_now();
        }
        bench.balancer.reset().unwrap();
        waiting.join().unwrap()
    });
    assert!(woken.is_ok(), "with no time passed");
}

#[test]
fn one_who_waits_for_a_key_that_is_removed_hears_of_it_at_once() {
    let bench = Bench::new([KeyConfig::new("test-key-1").concurrency(1)]);
    bench.balancer.add(KeyConfig::new("test-key-2").concurrency(1)).unwrap();
    let held = bench.balancer.leases(2).unwrap();
    let both = bench.balancer.checkout().keys(2).wait(5 * SECOND);
    let woken = Arc::new(Mutex::new(Vec::new()));
    let waker = Arc::new(Caller { number: 0, woken: Arc::clone(&woken) }).into();
    let mut waiting = pin!(both.lease_async());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    bench.balancer.remove(&"test-key-2".into()).unwrap();
    assert_eq!(*woken.lock(), [0]);
    let Poll::Ready(Err(error)) = waiting.as_mut().poll(&mut Context::from_waker(&waker)) else { panic!("it waits") };
    assert!(matches!(error, Error::TooFewKeys { wanted: 2, total: 1 }));
    held.success();
}

/// What a caller of the test below is told to do, and what it has done.
#[derive(Default)]
struct Told {
    may_end: Cell<bool>,
    holds: Cell<bool>,
    tries: Cell<u32>,
}

async fn hold(told: &Told) {
    told.holds.set(true);
    poll_fn(|_| if told.may_end.get() { Poll::Ready(()) } else { Poll::Pending }).await;
}

async fn several(bench: &Bench, count: usize, rest: Option<u32>, told: &Told) -> Result<(), ApiError> {
    let lease = bench.balancer.checkout().keys(count).wait(60 * MINUTE).lease_async().await?;
    hold(told).await;
    match rest {
        Some(seconds) => lease.end(Failure::status(429).with_retry_after(seconds * SECOND)),
        None => lease.success(),
    }
    Ok(())
}

#[balanced(balancer = bench.balancer, retries = 2, wait = "1h")]
async fn another(_key: Key, bench: &Bench, fails: u32, told: &Told) -> Result<(), ApiError> {
    told.tries.set(told.tries.get() + 1);
    if told.tries.get() <= fails {
        return Err(ApiError::NoSuchModel);
    }
    hold(told).await;
    Ok(())
}

#[derive(Clone, Debug)]
enum Step {
    Several(usize, Option<u32>),
    Another(u32),
    End(usize),
    GiveUp(usize),
    Pass(u64),
    Look,
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..4_usize, prop::option::weighted(0.5, 1..20_u32)).prop_map(|(count, rest)| Step::Several(count, rest)),
        5 => (1..3_u32).prop_map(Step::Another),
        4 => any::<prop::sample::Index>().prop_map(|index| Step::End(index.index(1_000))),
        1 => any::<prop::sample::Index>().prop_map(|index| Step::GiveUp(index.index(1_000))),
        2 => (1..30_000_u64).prop_map(Step::Pass),
        4 => Just(Step::Look),
    ]
}

proptest! {
    /// When all who were woken have looked, nobody who waits would get a key by looking once more.
    #[test]
    fn nobody_is_forgotten(steps in prop::collection::vec(a_step(), 1..120)) {
        let configs = keys(3).map(|key| key.concurrency(1)).chain(["test-key-3".into()]);
        let bench = Bench::new(configs);
        let told: Vec<Told> = steps.iter().map(|_| Told::default()).collect();
        let mut callers = Callers::default();
        for step in &steps {
            let running = |callers: &Callers<'_>, holds| -> Vec<usize> {
                (0..callers.running.len()).filter(|&n| callers.running[n].is_some() && told[n].holds.get() == holds).collect()
            };
            let next = &told[callers.running.len()];
            match *step {
                Step::Several(count, rest) => callers.start(Box::pin(several(&bench, count, rest, next))),
                Step::Another(fails) => callers.start(Box::pin(another(&bench, fails, next))),
                Step::End(number) => if let Some(&number) = running(&callers, true).iter().cycle().nth(number) {
                    told[number].may_end.set(true);
                    callers.poll(number);
                },
                Step::GiveUp(number) => if let Some(&number) = running(&callers, number % 3 == 0).iter().cycle().nth(number) {
                    callers.give_up(number);
                },
                Step::Pass(millis) => bench.clock.advance(Duration::from_millis(millis)),
                Step::Look => {}
            }
            if !matches!(step, Step::Look) {
                continue;
            }
            while callers.step() {}
            for number in running(&callers, false) {
                callers.poll(number);
                prop_assert!(!told[number].holds.get(), "{number} was not woken");
                while callers.step() {}
            }
        }
    }
}
