//! What a balanced call costs beside its body: no allocation once a program has settled, few with several keys, and few
//! bytes in its future. Times are the benchmarks' business.

use std::future::Future;
use std::mem::size_of_val;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use egb::{Balancer, Error, Key, KeyConfig, ManualClock, balanced};
use tokio::task::yield_now;

const CALLS: u64 = 1000;

struct Client {
    pool: Balancer,
}

impl Client {
    async fn bare(&self, key: Key, text: &str) -> Result<usize, Error> {
        yield_now().await;
        let lengths = (key.expose_secret().len(), text.len());
        yield_now().await;
        Ok(lengths.0 + lengths.1)
    }

    #[balanced(balancer = self.pool)]
    async fn once(&self, key: Key, text: &str) -> Result<usize, Error> {
        yield_now().await;
        let lengths = (key.expose_secret().len(), text.len());
        yield_now().await;
        Ok(lengths.0 + lengths.1)
    }

    #[balanced(balancer = self.pool, retries = 3, backoff = "100ms..2s")]
    async fn again(&self, key: Key, text: &str) -> Result<usize, Error> {
        yield_now().await;
        let lengths = (key.expose_secret().len(), text.len());
        yield_now().await;
        Ok(lengths.0 + lengths.1)
    }

    #[balanced(balancer = self.pool, scope = "pro", affinity = text, wait = "5s")]
    async fn waited_for(&self, key: Key, text: &str) -> Result<usize, Error> {
        yield_now().await;
        let lengths = (key.expose_secret().len(), text.len());
        yield_now().await;
        Ok(lengths.0 + lengths.1)
    }

    #[balanced(balancer = self.pool, deadline = "5s")]
    async fn in_time(&self, key: Key, text: &str) -> Result<usize, Error> {
        yield_now().await;
        let lengths = (key.expose_secret().len(), text.len());
        yield_now().await;
        Ok(lengths.0 + lengths.1)
    }

    #[balanced(
        balancer = self.pool,
        retries = 3,
        backoff = "100ms..2s",
        scope = "pro",
        affinity = text,
        wait = "5s",
        deadline = "5s"
    )]
    async fn with_everything(&self, key: Key, text: &str) -> Result<usize, Error> {
        yield_now().await;
        let lengths = (key.expose_secret().len(), text.len());
        yield_now().await;
        Ok(lengths.0 + lengths.1)
    }

    #[balanced(balancer = self.pool, retries = 3)]
    fn sync(&self, key: &Key, text: &str) -> Result<usize, Error> {
        Ok(key.expose_secret().len() + text.len())
    }

    #[balanced(balancer = self.pool, scope = model, affinity = session, wait = "5s", retries = 1)]
    async fn with_options(&self, key: &str, model: &str, session: u64) -> Result<usize, Error> {
        Ok(key.len() + model.len())
    }
}

async fn bare(key: &Key, text: &str) -> Result<usize, Error> {
    yield_now().await;
    Ok(key.expose_secret().len() + text.len())
}

#[balanced]
async fn once(key: &Key, text: &str) -> Result<usize, Error> {
    yield_now().await;
    Ok(key.expose_secret().len() + text.len())
}

#[balanced(retries = 2)]
async fn again(key: &Key, text: &str) -> Result<usize, Error> {
    yield_now().await;
    Ok(key.expose_secret().len() + text.len())
}

/// Polls until it is ready: what it waits for is only to be polled again.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

fn balancers(clock: &ManualClock) -> (egb_tests::Scratch, [Balancer; 2]) {
    let folder = egb_tests::tempdir().unwrap();
    let keys = || {
        let limited = (0..8).map(|n| KeyConfig::new(format!("test-key-{n}")).rpm(1_000_000).concurrency(4));
        let free = (8..16).map(|n| KeyConfig::new(format!("test-key-{n}")));
        limited.chain(free).fold(Balancer::builder().clock(clock.clone()), egb::BalancerBuilder::key)
    };
    let in_memory = keys().build().unwrap();
    let with_database = keys().db(folder.path().join("keys.db")).build().unwrap();
    (folder, [in_memory, with_database])
}

fn allocations(call: impl Fn()) -> u64 {
    // What is made once is made here: the lanes of scopes, the memory of sessions, room in the limits' logs.
    (0..CALLS).for_each(|_| call());
    // The least of some: while the thread that writes has the lock, a caller may make itself a part of the keys.
    let thousand = || allocation_counter::measure(|| (0..CALLS).for_each(|_| call())).count_total;
    (0..5).map(|_| thousand()).min().expect("five")
}

#[test]
fn a_call_allocates_nothing() {
    let clock = ManualClock::new();
    let (_folder, balancers) = balancers(&clock);
    for pool in balancers {
        let client = Client { pool };
        let _entered = client.pool.enter();
        // The uses of a minute, each at another instant, fill the room that is made for them, with a scope and without.
        for _ in 0..2_000 {
            clock.advance(Duration::from_millis(1));
            for session in 0..16 {
                drop(run(client.with_options("pro", session)));
                drop(client.sync("text"));
            }
        }
        assert_eq!(allocations(|| assert!(client.sync("text").is_ok())), 0, "sync");
        assert_eq!(allocations(|| assert!(run(client.once("text")).is_ok())), 0, "async");
        assert_eq!(allocations(|| assert!(run(client.again("text")).is_ok())), 0, "with retries");
        assert_eq!(allocations(|| assert!(run(once("text")).is_ok())), 0, "with the balancer of the surroundings");
        assert_eq!(allocations(|| assert!(run(client.with_options("pro", 7)).is_ok())), 0, "with options");
        assert_eq!(allocations(|| assert!(run(client.waited_for("text")).is_ok())), 0, "with a wait");
        assert_eq!(allocations(|| client.pool.lease().unwrap().success()), 0, "a lease");
        assert_eq!(allocations(|| drop(client.pool.key().unwrap())), 0, "a plain key");
    }
}

#[test]
fn a_call_with_up_to_eight_keys_allocates_what_it_holds_and_no_list_beside() {
    let (_folder, balancers) = balancers(&ManualClock::new());
    for pool in balancers {
        for keys in [2, 8] {
            assert_eq!(allocations(|| pool.leases(keys).unwrap().success()), 3 * CALLS, "{keys} keys");
        }
        assert_eq!(allocations(|| drop(pool.keys(8).unwrap())), CALLS, "the vector that the caller gets");
    }
}

#[test]
fn a_future_grows_by_less_than_64_bytes() {
    let client = Client { pool: Balancer::builder().key("test-key").build().unwrap() };
    let key = Key::from("test-key");
    let method = size_of_val(&client.bare(key.clone(), "text"));
    let function = size_of_val(&bare(&key, "text"));
    for (name, balanced, bare) in [
        ("a method", size_of_val(&client.once("text")), method),
        ("a method with retries", size_of_val(&client.again("text")), method),
        ("a method with a wait", size_of_val(&client.waited_for("text")), method),
        ("a method with a deadline", size_of_val(&client.in_time("text")), method),
        // Attempts need `self` and `text` again.
        (
            "a method with all options",
            size_of_val(&client.with_everything("text")),
            method + size_of::<(&Client, &str)>(),
        ),
        ("a function", size_of_val(&once("text")), function),
        ("a function with retries", size_of_val(&again("text")), function),
    ] {
        println!("{name}: {balanced} bytes, {bare} without the attribute");
        assert!(balanced < bare + 64, "{name}: {balanced} bytes, {bare} without the attribute");
    }
}

#[test]
#[cfg(target_pointer_width = "64")]
fn a_key_that_was_not_used_takes_less_than_200_bytes_whatever_its_limits() {
    // So many fill the index that names the keys, whose size is a power of two.
    const KEYS: u32 = 14_000;
    for (rpm, rpd) in [(None, None), (Some(10), Some(1_000))] {
        let mut pool = None;
        let build = || {
            let keys = (0..KEYS).map(|n| format!("AIzaSyFAKE_cost_{n:08}_01234567890123"));
            let pool_of = keys.fold(Balancer::builder(), |builder, key| {
                assert_eq!(key.len(), 39, "as many as Gemini's keys have");
                builder.key(key)
            });
            let limited = rpm.into_iter().fold(pool_of, egb::BalancerBuilder::rpm);
            pool = Some(rpd.into_iter().fold(limited, egb::BalancerBuilder::rpd).build().unwrap());
        };
        let bytes = allocation_counter::measure(build).bytes_current / i64::from(KEYS);
        println!("a key with its text takes {bytes} bytes");
        assert!((1..200).contains(&bytes), "{bytes} bytes");
        drop(pool);
    }
}
