//! Many threads and tasks at once, with every way in which a call can end: the books balance to the
//! last call, in memory and on disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use egb::{Balancer, Error, Failure, Key, KeyConfig, Reason, StatusCode, Verdict, balanced};

const KEYS: usize = 12;
const THREADS: u64 = 64;
const CALLS_A_THREAD: u64 = 2_000;
const TASKS: u64 = 1_000;

#[derive(Debug, thiserror::Error, StatusCode)]
enum CallError {
    #[error("status {0}")]
    #[status(field = 0)]
    Status(u16),
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] Error),
}

/// What was done, counted by those who did it.
#[derive(Default)]
struct Books {
    calls: AtomicU64,
    successes: AtomicU64,
    failures: AtomicU64,
}

impl Books {
    fn add(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn totals(&self) -> (u64, u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.calls), read(&self.successes), read(&self.failures))
    }
}

fn key(n: usize) -> KeyConfig {
    let config = KeyConfig::new(format!("AIzaSyFAKE_soak_key_{n:02}_0123456789")).weight([1.0, 2.0, 0.5][n % 3]);
    if n.is_multiple_of(4) { config.concurrency(3) } else { config }
}

fn open(db: &std::path::Path) -> Balancer {
    (0..KEYS).fold(Balancer::builder(), |builder, n| builder.key(key(n))).db(db).build().unwrap()
}

fn totals(balancer: &Balancer) -> (u64, u64, u64) {
    let stats = balancer.stats();
    (stats.uses(), stats.successes(), stats.failures())
}

/// A fixed sequence that looks random (Marsaglia, Xorshift RNGs, 2003).
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// One call on this thread, ended in one of the ways there are.
fn call(balancer: &Balancer, books: &Books, way: u64) {
    let Ok(lease) = balancer.lease() else { return };
    Books::add(&books.calls);
    match way % 12 {
        0 => drop(lease),
        1 => {
            Books::add(&books.failures);
            lease.end(Failure::status(429).with_retry_after(Duration::from_micros(200)));
        }
        2 => {
            Books::add(&books.failures);
            lease.failure(&CallError::Status(404));
        }
        3 => {
            Books::add(&books.failures);
            lease.end(Failure::new(Reason::Network));
        }
        4 => {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let _held = lease;
                std::panic::resume_unwind(Box::new("as asked"));
            }));
            assert!(panicked.is_err());
        }
        5 => lease.end(Verdict::Neutral),
        _ => {
            Books::add(&books.successes);
            lease.success();
        }
    }
}

#[balanced(balancer = balancer)]
async fn task(key: &Key, balancer: &Balancer, books: &Books, way: u64) -> Result<(), CallError> {
    Books::add(&books.calls);
    assert_eq!(egb::key()?, *key);
    tokio::task::yield_now().await;
    assert_eq!(egb::key()?, *key);
    match way % 5 {
        // Cancelled by its caller.
        0 => std::future::pending().await,
        // A panic without a message.
        1 => std::panic::resume_unwind(Box::new(())),
        2 => {
            Books::add(&books.failures);
            Err(CallError::Status(500))
        }
        _ => {
            Books::add(&books.successes);
            Ok(())
        }
    }
}

#[test]
fn the_books_balance_to_the_last_call() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let (balancer, books) = (open(&db), Arc::new(Books::default()));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (balancer, books) = (&balancer, &books);
            scope.spawn(move || {
                let mut seed = 0x9e37_79b9_7f4a_7c15 ^ (thread + 1);
                for turn in 0..CALLS_A_THREAD {
                    call(balancer, books, next(&mut seed));
                    if turn % 500 == 250 {
                        balancer.flush().unwrap();
                    }
                }
            });
        }
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
            let tasks = (0..TASKS).map(|way| {
                let (balancer, books) = (balancer.clone(), Arc::clone(&books));
                runtime.spawn(async move {
                    let call = task(&balancer, &books, way);
                    drop(tokio::time::timeout(Duration::from_millis(way % 50), call).await);
                })
            });
            // All at once.
            let tasks: Vec<_> = tasks.collect();
            for task in tasks {
                // One that panicked is an error here.
                let _ = runtime.block_on(task);
            }
        });
    });
    assert_eq!(totals(&balancer), books.totals());
    assert!(balancer.stats().keys.iter().all(|key| key.in_flight == 0));
    let (calls, ..) = books.totals();
    assert!(calls > THREADS * CALLS_A_THREAD / 4, "most calls got a key: {calls}");
    balancer.flush().unwrap();
    assert_eq!(totals(&open(&db)), books.totals(), "on disk");
    balancer.reset().unwrap();
    assert_eq!(balancer.leases(KEYS).unwrap().keys().len(), KEYS, "every key came back");
}
