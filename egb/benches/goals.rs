//! What the design promises of speed and size, measured: each figure beside its goal. Times are those of the
//! fastest of many short rounds, which other programs on the machine disturb little; ratios of threads are the median of
//! many rounds that are run by turns.
//!
//! `cargo bench -p egb --bench goals`; a number (`-- 2`) runs one part alone.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "figures to look at, far from any bound"
)]
#![expect(clippy::unused_async, clippy::unnecessary_wraps, reason = "as the functions with the attribute are")]

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use egb::{Balancer, BalancerBuilder, Error, Failure, Key, KeyConfig, ManualClock, Verdict, balanced};

fn main() {
    let parts: [fn(); 7] = [by_size, threads, slowest_pick, balanced_call, many_threads, proportions, memory];
    let chosen: Option<usize> = std::env::args().find_map(|argument| argument.parse().ok());
    row("", "measured", "goal");
    for (number, part) in (1..).zip(parts) {
        if chosen.is_none_or(|chosen| chosen == number) {
            part();
        }
    }
}

fn row(what: &str, measured: &str, goal: &str) {
    println!("{what:<64} {measured:>12}   {goal}");
}

fn with_keys(keys: usize) -> BalancerBuilder {
    let keys = (0..keys).map(|n| KeyConfig::new(format!("AIzaSyFAKE_benchmark_{n:07}_0123456789")));
    keys.fold(Balancer::builder().seed(7), BalancerBuilder::key)
}

fn with_limits(keys: usize) -> Balancer {
    // More than the benchmark asks for, and no more: room for the uses of a minute is part of what is measured.
    let rpm = if keys < 100_000 { 1_000_000_000 } else { 100 };
    with_keys(keys).rpm(rpm).rpd(1_000_000_000).build().expect("valid keys")
}

fn lease(balancer: &Balancer) {
    balancer.lease().expect("a free key").success();
}

/// Nanoseconds of one call: those of the fastest round.
fn fastest(rounds: usize, calls: u32, mut call: impl FnMut()) -> f64 {
    let mut round = || {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
    };
    (0..rounds).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn by_size() {
    let mut base = None;
    for (keys, goal) in [(1_000, "100 ns"), (10, ""), (100_000, "2 times that"), (1_000_000, "4 times that")] {
        let balancer = with_limits(keys);
        (0..2 * keys).for_each(|_| lease(&balancer));
        let time = fastest(1_000, 1_000, || lease(&balancer));
        let base = *base.get_or_insert(time);
        let measured = format!("{time:.0} ns");
        row(
            &format!("checkout + success, limits and health on, {keys} keys"),
            &measured,
            &format!("{goal} ({:.1})", time / base),
        );
    }
    for levels in [100_u16, 1_000] {
        let keys = (0..1_000_u16).map(|n| {
            KeyConfig::new(format!("AIzaSyFAKE_benchmark_{n:07}_0123456789"))
                .weight(1.0 + f64::from(n % levels) / 1000.0)
                .rpm(1_000_000)
                .rpd(1_000_000_000)
        });
        let balancer = keys.fold(Balancer::builder().seed(7), BalancerBuilder::key).build().expect("valid keys");
        (0..10_000).for_each(|_| lease(&balancer));
        let time = fastest(1_000, 1_000, || lease(&balancer));
        row(&format!("the same, 1000 keys of {levels} weights"), &format!("{time:.0} ns"), "");
    }
    let balancer = with_keys(1_000).build().expect("valid keys");
    (0..100_000).for_each(|_| lease(&balancer));
    row("1000 keys, no limits", &format!("{:.0} ns", fastest(1_000, 1_000, || lease(&balancer))), "");
    let folder = tempfile::tempdir().expect("a folder");
    let balancer = with_keys(1_000).rpm(1_000_000).db(folder.path().join("keys.db")).build().expect("valid keys");
    (0..100_000).for_each(|_| lease(&balancer));
    row("1000 keys, limits and database", &format!("{:.0} ns", fastest(1_000, 1_000, || lease(&balancer))), "");
    let clock = Instant::now();
    let time = fastest(1_000, 1_000, || {
        black_box(clock.elapsed());
    });
    row("the exact clock alone, which a checkout need not read", &format!("{time:.0} ns"), "");
}

/// Calls per microsecond of so many threads together, for a while.
fn work(threads: usize, call: &(impl Fn() + Sync)) -> f64 {
    const WHILE: Duration = Duration::from_millis(100);
    let (arrived, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    // By their own clocks: this thread may get no processor as long as they have both.
    let (calls, took) = thread::scope(|scope| {
        let work = || {
            arrived.fetch_add(1, Ordering::SeqCst);
            while arrived.load(Ordering::SeqCst) < threads {
                std::hint::spin_loop();
            }
            let (start, mut calls) = (Instant::now(), 0_u64);
            while !is_over.load(Ordering::Relaxed) {
                (0..64).for_each(|_| call());
                calls += 64;
            }
            (calls, start, Instant::now())
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        thread::sleep(WHILE);
        is_over.store(true, Ordering::SeqCst);
        let done: Vec<_> = running.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        let start = done.iter().map(|(_, start, _)| *start).min().expect("a thread");
        let end = done.iter().map(|(.., end)| *end).max().expect("a thread");
        (done.iter().map(|(calls, ..)| calls).sum::<u64>(), end - start)
    });
    calls as f64 / took.as_secs_f64() / 1e6
}

fn threads() {
    let compare = |what: &str, goal: &str, call: &(dyn Fn() + Sync)| {
        // In turns, as the machine is faster at some times than at others.
        let rounds = (0..20).map(|_| (work(1, &call), work(2, &call)));
        let mut rounds: Vec<(f64, f64)> = rounds.map(|(one, two)| (two / one, one)).collect();
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (ratio, one) = rounds[rounds.len() / 2];
        row(&format!("work of 2 threads, in that of 1 ({one:.1} calls/us), {what}"), &format!("{ratio:.2}"), goal);
    };
    for (keys, goal) in [(10, ""), (1_000, "1 or more"), (20_000, "")] {
        let balancer = with_limits(keys);
        (0..2 * keys).for_each(|_| lease(&balancer));
        compare(&format!("{keys} keys"), goal, &|| lease(&balancer));
    }
    let balancer = with_limits(1_000);
    let clock = Instant::now();
    let call = || {
        let lease = balancer.lease().expect("a free key");
        let begun = clock.elapsed();
        while clock.elapsed() < begun + Duration::from_micros(1) {
            std::hint::spin_loop();
        }
        lease.success();
    };
    compare("calls of 1 us", "", &call);
}

fn slowest_pick() {
    const KEYS: usize = 1_000_000;
    let rounds = [(); 3].map(|()| {
        let clock = ManualClock::new();
        let balancer = with_keys(KEYS).rpm(60).clock(clock.clone()).build().expect("valid keys");
        let pick = || {
            let start = Instant::now();
            let lease = balancer.lease();
            let took = start.elapsed();
            clock.advance(Duration::from_micros(1));
            (lease, took)
        };
        let fresh: Vec<Duration> = (0..KEYS).map(|_| pick().1).collect();
        let throttled = Failure::status(429).with_retry_after(Duration::from_secs(60));
        for row in 0..KEYS {
            let key = Key::from(format!("AIzaSyFAKE_benchmark_{row:07}_0123456789"));
            balancer.report(&key, Verdict::Failure(throttled.clone()));
        }
        assert!(balancer.lease().is_err());
        clock.advance(Duration::from_secs(100));
        let expired: Vec<Duration> =
            (0..KEYS).map(|_| pick()).map(|(lease, took)| (lease.expect("free again"), took).1).collect();
        [fresh, expired]
    });
    for (at, what) in ["a new pool", "all cooldowns end at once"].into_iter().enumerate() {
        // What a round does not share with the others is another program's doing.
        let picks = (0..KEYS).map(|pick| rounds.iter().map(|round| round[at][pick]).min().expect("a round"));
        let (slowest, sum) =
            picks.fold((Duration::ZERO, Duration::ZERO), |(slowest, sum), took| (slowest.max(took), sum + took));
        row(
            &format!("slowest pick of {KEYS} keys, {what}"),
            &format!("{slowest:.0?}"),
            &format!("1 ms (mean {:.0?})", sum / KEYS as u32),
        );
    }
    let keys = 100_000;
    let balancer = with_keys(keys).build().expect("valid keys");
    for key in 1..keys {
        balancer.report(
            &Key::from(format!("AIzaSyFAKE_benchmark_{key:07}_0123456789")),
            Verdict::Failure(Failure::status(429).with_retry_after(Duration::from_secs(3000))),
        );
    }
    let time = fastest(1_000, 1_000, || lease(&balancer));
    row(&format!("checkout + success, {keys} keys of which one is free"), &format!("{time:.0} ns"), "");
}

async fn bare(key: &Key, text: &str) -> Result<usize, Error> {
    Ok(key.expose_secret().len() + text.len())
}

fn bare_sync(key: &Key, text: &str) -> Result<usize, Error> {
    Ok(key.expose_secret().len() + text.len())
}

#[balanced(balancer = pool)]
async fn ask(key: &Key, pool: &Balancer, text: &str) -> Result<usize, Error> {
    Ok(key.expose_secret().len() + text.len())
}

#[balanced(balancer = pool)]
fn ask_sync(key: &Key, pool: &Balancer, text: &str) -> Result<usize, Error> {
    Ok(key.expose_secret().len() + text.len())
}

#[balanced(balancer = pool, keys = 8)]
fn ask_with_eight(keys: &[Key], pool: &Balancer, text: &str) -> Result<usize, Error> {
    Ok(keys.len() + text.len())
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the body waits for nothing"),
    }
}

type Body<'a> = &'a dyn Fn() -> Result<usize, Error>;

fn balanced_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let pool = with_keys(1_000)
        .rpm(1_000_000)
        .rpd(1_000_000_000)
        .db(folder.path().join("keys.db"))
        .build()
        .expect("valid keys");
    let key = Key::from("test-key");
    let measure = |what: &str, goal: &str, call: Body<'_>, bare: Body<'_>| {
        let call = || {
            black_box(call()).expect("a free key");
        };
        (0..200_000).for_each(|_| call());
        let added = fastest(1_000, 1_000, call)
            - fastest(1_000, 1_000, || {
                black_box(bare()).expect("no error");
            });
        // Now and then all keys need more room for the uses of a minute, until they have all that they will need.
        let thousand = || allocation_counter::measure(|| (0..1_000).for_each(|_| call())).count_total;
        let allocations = (0..3).map(|_| thousand()).min().expect("three");
        row(what, &format!("{added:.0} ns"), &format!("{goal} ({allocations} allocations in 1000 calls)"));
    };
    let text = black_box("text");
    measure("a sync #[balanced] call adds, database on", "300 ns", &|| ask_sync(&pool, text), &|| {
        bare_sync(&key, text)
    });
    measure("an async #[balanced] call adds, database on", "300 ns", &|| ready(ask(&pool, text)), &|| {
        ready(bare(&key, text))
    });
    measure("a sync call with keys = 8 adds, database on", "", &|| ask_with_eight(&pool, text), &|| {
        bare_sync(&key, text)
    });
}

fn many_threads() {
    let balancer = with_limits(1_000);
    let times = quietest_of_5(|| in_64_threads(|| balancer.lease().expect("a free key"), egb::Lease::success));
    // What the machine takes: with 64 threads awake a processor is given to another in the midst of anything.
    let clock = Instant::now();
    let nothing = quietest_of_5(|| in_64_threads(|| (0..4).map(|_| clock.elapsed()).max(), drop));
    let goal = format!(
        "50 us (half in {:.1?}, 99.9 % in {:.1?}; 99 % of four readings of a clock within {:.1?})",
        part(&times, 500),
        part(&times, 999),
        part(&nothing, 990)
    );
    row("64 threads, calls of 1 ms: 99 % of checkouts within", &format!("{:.1?}", part(&times, 990)), &goal);
}

fn part(sorted: &[Duration], part: usize) -> Duration {
    sorted[sorted.len() * part / 1000]
}

fn quietest_of_5(times: impl Fn() -> Vec<Duration>) -> Vec<Duration> {
    (0..5).map(|_| times()).min_by_key(|times| part(times, 990)).expect("five")
}

/// Sorted times of `begin` in calls of 1 ms that 64 threads make.
fn in_64_threads<T>(begin: impl Fn() -> T + Sync, end: impl Fn(T) + Sync) -> Vec<Duration> {
    const CALLS: usize = 200;
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let work = || {
            let call = |_| {
                let start = Instant::now();
                let held = begin();
                let took = start.elapsed();
                thread::sleep(Duration::from_millis(1));
                end(held);
                took
            };
            (0..CALLS).map(call).collect::<Vec<_>>()
        };
        let running: Vec<_> = (0..64).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    times.sort_unstable();
    times
}

fn proportions() {
    let weight = |n: u32| [0.5, 1.0, 2.0, 3.7, 10.0][n as usize % 5];
    let keys = (0..100).map(|n| KeyConfig::new(format!("test-key-{n}")).weight(weight(n)));
    let balancer = keys.fold(Balancer::builder().seed(7), BalancerBuilder::key).build().expect("valid keys");
    (0..1_000_000).for_each(|_| lease(&balancer));
    let stats = balancer.stats();
    let sum: f64 = (0..100).map(weight).sum();
    let error = |(n, key): (u32, &egb::KeyStats)| (key.calls as f64 / (1e6 * weight(n) / sum) - 1.0).abs();
    let mean = (0..).zip(&stats.keys).map(error).sum::<f64>() / 100.0 * 100.0;
    row("error of shares, 100 keys of 5 weights, 1000000 picks", &format!("{mean:.3} %"), "0.1 % on average");
}

fn memory() {
    const KEYS: u64 = 100_000;
    for (what, limits) in [("no limits", false), ("two limits", true)] {
        let mut balancer = None;
        let build = || {
            let keys = with_keys(KEYS as usize);
            balancer = Some(if limits { keys.rpm(10).rpd(1_000).build() } else { keys.build() }.expect("valid keys"));
        };
        let fresh = allocation_counter::measure(build).bytes_current;
        row(
            &format!("memory of a key with its text of 39 characters, {what}"),
            &format!("{} bytes", fresh / KEYS as i64),
            "200 bytes",
        );
        let balancer = balancer.expect("built");
        let used = allocation_counter::measure(|| (0..KEYS).for_each(|_| lease(&balancer))).bytes_current;
        row("  and once it has served a call", &format!("{} bytes", (fresh + used) / KEYS as i64), "");
    }
}
