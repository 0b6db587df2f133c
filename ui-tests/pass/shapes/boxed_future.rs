#[path = "../../common.rs"]
mod common;

use std::future::Future;
use std::pin::Pin;

use common::{E, block_on, counts, pool};
use egb::{Key, balanced};

/// As in the crate `futures`.
type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type LocalBoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

#[balanced]
fn alias<'a>(key: Key, text: &'a str) -> BoxFuture<'a, Result<usize, E>> {
    Box::pin(async move {
        assert_eq!(egb::key()?, key);
        tokio::task::yield_now().await;
        Ok(text.len())
    })
}

#[balanced(retries = 1)]
fn local<'a>(key: Key, text: &'a str) -> LocalBoxFuture<'a, Result<usize, E>> {
    Box::pin(async move {
        drop(key);
        if text.is_empty() { Err(E::Status(429)) } else { Ok(text.len()) }
    })
}

#[balanced]
fn written_out(key: Key) -> Pin<Box<dyn Future<Output = Result<(), E>> + Send>> {
    Box::pin(async move {
        drop(key);
        Err(E::Status(503))?
    })
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(block_on(alias("four")).unwrap(), 4);
    assert_eq!(block_on(local("four")).unwrap(), 4);
    assert!(matches!(block_on(written_out()), Err(E::Status(503))));
    assert_eq!(counts(&balancer), (3, 2, 1));
    assert!(matches!(block_on(local("")), Err(E::Status(429))));
    assert_eq!(counts(&balancer), (5, 2, 3));
}
