//! What one checkout costs here and elsewhere, in one run: egb, other crates by their public interfaces, and what
//! people write by hand. Most of them do less: the last column says what.
//!
//! `cargo run --release --manifest-path egb/benches/peers/Cargo.toml`
//!
//! With `PYTHON_ORIGINAL=DIRECTORY` it measures the Python original itself too: the directory `src` in the repository of
//! easy-gemini-balance, at version 0.3.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::future::Future;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::pin::pin;
use std::process::Command;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use egb::{Balancer, Failure, Verdict};
use load_balancer::{FilteredLoadBalancer, LoadBalancer};
use parking_lot::Mutex;
use rand::RngExt;
use rand::distr::Distribution;

mod original;

const SIZES: [usize; 3] = [10, 1_000, 100_000];

/// Nanoseconds of one call: those of the fastest of many short rounds, for at most two seconds.
fn fastest(mut call: impl FnMut()) -> f64 {
    let end = Instant::now() + Duration::from_secs(2);
    call();
    let start = Instant::now();
    call();
    // A round takes about 100 microseconds, so that other programs interrupt few of them.
    let calls = (100_000 / start.elapsed().as_nanos().max(20)).clamp(1, 1_000);
    let mut best = f64::INFINITY;
    for _ in 0..2_000 {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let time = start.elapsed().as_nanos() as f64 / calls as f64;
        best = best.min(time);
        if Instant::now() > end {
            break;
        }
    }
    best
}

fn texts(keys: usize) -> impl Iterator<Item = String> {
    (0..keys).map(|n| format!("AIzaSyFAKE_benchmark_{n:07}_0123456789"))
}

fn egb(keys: usize) -> f64 {
    // Room for the calls of the measurement.
    let rpm = if keys < 100_000 { 1_000_000_000 } else { 100 };
    let balancer = Balancer::builder().keys(texts(keys)).rpm(rpm).rpd(1_000_000_000).build().expect("valid keys");
    let call = || balancer.lease().expect("a free key").success();
    (0..2 * keys).for_each(|_| call());
    fastest(call)
}

fn egb_last(keys: usize) -> f64 {
    let balancer = Balancer::builder().keys(texts(keys)).build().expect("valid keys");
    let throttled = Failure::status(429).with_retry_after(Duration::from_secs(3600));
    for text in texts(keys).take(keys - 1) {
        balancer.report(&text.into(), Verdict::Failure(throttled.clone()));
    }
    fastest(|| balancer.lease().expect("a free key").success())
}

fn omnillm(keys: usize) -> f64 {
    let mut registry = omnillm::key::registry::PoolRegistry::new();
    let keys = texts(keys).map(|text| omnillm::KeyConfig::new(text, "label").tpm_limit(u32::MAX / 2)).collect();
    registry.register("provider".into(), "model".into(), keys, omnillm::PoolConfig::default());
    fastest(|| drop(black_box(registry.acquire("provider", "model", 1).expect("a free key"))))
}

fn balancer_cursor(keys: usize) -> f64 {
    let balancer = load_balancer::round_robin::RoundRobin::new(texts(keys).collect());
    fastest(|| drop(black_box(balancer.try_alloc())))
}

/// It starts a timer, and so needs a runtime.
fn fault_tolerant(keys: usize, last: bool) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _entered = runtime.enter();
    let entries = texts(keys).map(|text| (0, 1, text)).collect();
    let balancer = load_balancer::fault_tolerant::FaultTolerant::new(entries);
    if last {
        (0..keys - 1).for_each(|key| balancer.failure(key));
    }
    fastest(|| {
        let (index, key) = balancer.try_alloc_filter(|_| true).expect("a free key");
        black_box(key);
        balancer.success(index);
    })
}

/// Polled outside of the runtime, whose budget for a task would end the measurement.
fn api_key_pool(keys: usize, last: bool) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut pool = api_key_pool::APIKeyPool::new();
    let day = chrono::Duration::days(1);
    for (number, text) in texts(keys).enumerate() {
        // Room is reserved for all uses of a day, so only the key that is used has any.
        let is_used = if last { number + 1 == keys } else { number == 0 };
        let free = if is_used { 20_000_000 } else { 0 };
        let key = api_key_pool::APIKey::new(&text, api_key_pool::RateLimitPolicy::new(free, day));
        runtime.block_on(pool.add_key(key));
    }
    fastest(|| {
        let key = pin!(pool.poll_for_key()).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(black_box(key), Poll::Ready(Some(_))), "a free key");
    })
}

fn governed(keys: usize) -> f64 {
    let quota = governor::Quota::per_minute(NonZeroU32::new(1_000_000_000).expect("not zero"));
    let limiter = governor::RateLimiter::keyed(quota);
    let texts: Vec<std::sync::Arc<str>> = texts(keys).map(Into::into).collect();
    let mut turn = 0;
    fastest(|| {
        loop {
            turn = (turn + 1) % texts.len();
            if limiter.check_key(&texts[turn]).is_ok() {
                break;
            }
        }
        black_box(std::sync::Arc::clone(&texts[turn]));
    })
}

/// What people write by hand: take the first, put it back at the end.
fn by_hand(keys: usize) -> f64 {
    let queue: Mutex<VecDeque<std::sync::Arc<str>>> = Mutex::new(texts(keys).map(Into::into).collect());
    fastest(|| {
        let mut queue = queue.lock();
        let key = queue.pop_front().expect("a key");
        queue.push_back(std::sync::Arc::clone(&key));
        drop(queue);
        black_box(key);
    })
}

fn weighted_index(keys: usize) -> f64 {
    let mut rng = rand::rng();
    let mut weights: Vec<f64> = (0..keys).map(|_| rng.random_range(0.5..2.0)).collect();
    fastest(|| {
        let index = rand::distr::weighted::WeightedIndex::new(&weights).expect("weights");
        let picked = index.sample(&mut rng);
        weights[picked] = (weights[picked] * 1.1).min(2.0);
        black_box(picked);
    })
}

fn weighted_tree(keys: usize) -> f64 {
    let mut rng = rand::rng();
    let weights: Vec<f64> = (0..keys).map(|_| rng.random_range(0.5..2.0)).collect();
    let mut tree = rand_distr::weighted::WeightedTreeIndex::new(weights).expect("weights");
    fastest(|| {
        let picked = tree.sample(&mut rng);
        let weight: f64 = (tree.get(picked) * 1.1).min(2.0);
        tree.update(picked, weight).expect("a weight");
        black_box(picked);
    })
}

/// Nanoseconds of a pick and its end in Python: of the original itself, if it is in a directory, or of its steps.
fn in_python(keys: usize, directory: Option<&OsStr>) -> f64 {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/original.py");
    let output = Command::new("python3").arg(script).arg(keys.to_string()).args(directory).output();
    let said = output.ok().filter(|output| output.status.success()).map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&said).trim().parse().unwrap_or(f64::NAN)
}

fn main() {
    type Measure = Box<dyn Fn(usize) -> f64>;
    let mut rows: Vec<(&str, Measure, &str)> = vec![
        ("egb, checkout + success", Box::new(egb), "everything: order by weight and use, health, two limits, counts"),
        ("omnillm, acquire + drop", Box::new(omnillm), "a lease with a token limit; at random, no weights"),
        ("load-balancer, round robin", Box::new(balancer_cursor), "a cursor"),
        ("load-balancer, fault tolerant", Box::new(|keys| fault_tolerant(keys, false)), "the first key that is ready"),
        ("api-key-pool", Box::new(|keys| api_key_pool(keys, false)), "the first key that is ready"),
        ("governor keyed + round robin", Box::new(governed), "a cursor and a rate limit"),
        ("mutex around a VecDeque", Box::new(by_hand), "by hand: least recently used"),
        ("rand, weighted index rebuilt", Box::new(weighted_index), "at random by weight"),
        ("rand, weighted tree", Box::new(weighted_tree), "at random by weight"),
        ("the Python original, in Rust", Box::new(original::time), "its algorithm: at random by weight, health"),
        (
            "the Python original's steps, in Python",
            Box::new(|keys| in_python(keys, None)),
            "the same, each as often as there",
        ),
    ];
    if let Some(directory) = std::env::var_os("PYTHON_ORIGINAL") {
        let measure = move |keys| in_python(keys, Some(&directory));
        rows.push(("the Python original, without its sleep", Box::new(measure), "the tool itself"));
    }
    let hard: [(&str, Measure, &str); 3] = [
        ("egb, only the last key free", Box::new(egb_last), ""),
        ("load-balancer, only the last key ready", Box::new(|keys| fault_tolerant(keys, true)), ""),
        ("api-key-pool, only the last key ready", Box::new(|keys| api_key_pool(keys, true)), ""),
    ];
    rows.extend(hard);
    println!("ns of a checkout and its end, and times that of egb");
    println!("{:<40} {:>18} {:>18} {:>18}   it is", "", "10 keys", "1000 keys", "100000 keys");
    let mut own: Option<[f64; 3]> = None;
    for (name, measure, what) in rows {
        let times = SIZES.map(&measure);
        if name.starts_with("egb") {
            own = Some(times);
        }
        let own = own.expect("egb comes first");
        let cells = times.iter().zip(own).map(|(time, own)| format!("{time:>9.0} ({:>6.2})", time / own));
        println!("{name:<40} {}   {what}", cells.collect::<Vec<_>>().join(" "));
    }
}
