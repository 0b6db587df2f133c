//! A second attempt beside a slow first one, on every kind of function that can have it.

#![deny(warnings)]
#![warn(clippy::pedantic)]

#[path = "../../common.rs"]
mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use common::{E, counts, pool};
use egb::{Balancer, Key, balanced};

const SOON: Duration = Duration::from_millis(1);

fn is_send<T: Send>(value: T) -> T {
    value
}

/// Hangs the first time, answers the second.
async fn slow_at_first(attempts: &AtomicU32) -> u32 {
    let attempt = attempts.fetch_add(1, Ordering::Relaxed) + 1;
    if attempt == 1 {
        std::future::pending::<()>().await;
    }
    attempt
}

#[balanced(balancer = pool, hedge = "1ms")]
async fn free(key: Key, pool: &Balancer, attempts: &AtomicU32, owned: String) -> Result<(u32, usize), E> {
    assert_eq!(egb::key()?, key);
    Ok((slow_at_first(attempts).await, owned.len()))
}

#[balanced(balancer = pool, hedge = SOON, retries = 2, deadline = "1h", keys = 1)]
async fn borrows<'a>(
    key: &Key,
    pool: &Balancer,
    attempts: &AtomicU32,
    (mut a, b): (u32, &'a str),
    mut n: u32,
) -> Result<(u32, &'a str), E> {
    assert!(!key.expose_secret().is_empty());
    (a, n) = (a + slow_at_first(attempts).await, n + 1);
    Ok((a + n, b))
}

#[balanced(balancer = pool, hedge = "1ms", retries = 1)]
async fn generic<T: Clone + Send + Sync>(
    key: &str,
    pool: &Balancer,
    value: T,
    text: impl AsRef<str> + Clone,
) -> Result<(T, usize), E> {
    tokio::task::yield_now().await;
    Ok((value, key.len() + text.as_ref().len()))
}

struct Client {
    pool: Balancer,
    attempts: AtomicU32,
}

impl Client {
    #[balanced(balancer = self.pool, keys = 2, hedge = "1ms", scope = model, affinity = model)]
    async fn ask(&self, keys: [Key; 2], model: &str) -> Result<usize, E> {
        let attempt = slow_at_first(&self.attempts).await;
        Ok(keys.len() + model.len() + usize::try_from(attempt).unwrap_or_default())
    }

    #[balanced(balancer = self.pool, hedge = "1ms")]
    async fn typed(self: &Self, key: &Key) -> Result<u32, E> {
        assert_eq!(egb::key()?, *key);
        Ok(slow_at_first(&self.attempts).await)
    }
}

#[async_trait]
trait Ask {
    async fn by_trait(&self, text: &str) -> Result<u32, E>;
}

#[async_trait]
impl Ask for Client {
    #[balanced(balancer = self.pool, hedge = "1ms", wait = "1ms")]
    async fn by_trait(&self, key: Key, text: &str) -> Result<u32, E> {
        drop(key);
        assert_eq!(text, "text");
        Ok(slow_at_first(&self.attempts).await)
    }
}

fn main() {
    let (pool, attempts) = (pool(), AtomicU32::new(0));
    let answer = common::block_on(is_send(free(&pool, &attempts, "owned".to_owned()))).unwrap();
    assert_eq!(answer, (2, 5));
    assert_eq!(counts(&pool), (2, 1, 0), "the slower one says nothing");
    attempts.store(0, Ordering::Relaxed);
    assert_eq!(common::block_on(is_send(borrows(&pool, &attempts, (1, "b"), 3))).unwrap(), (7, "b"));
    assert_eq!(common::block_on(is_send(generic(&pool, vec![1], "four"))).unwrap(), (vec![1], 10 + 4));
    assert_eq!(counts(&pool), (5, 3, 0));
    let client = Client { pool: common::pool_of(4), attempts: AtomicU32::new(0) };
    assert_eq!(common::block_on(is_send(client.ask("pro"))).unwrap(), 2 + 3 + 2);
    client.attempts.store(0, Ordering::Relaxed);
    assert_eq!(common::block_on(is_send(client.by_trait("text"))).unwrap(), 2);
    client.attempts.store(0, Ordering::Relaxed);
    assert_eq!(common::block_on(is_send(client.typed())).unwrap(), 2);
}
