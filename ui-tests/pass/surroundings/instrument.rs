#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Key, balanced};

#[balanced(retries = 1)]
#[tracing::instrument(skip_all, err, ret)]
async fn below(key: Key, text: &str) -> Result<usize, E> {
    drop(key);
    if text.is_empty() { Err(E::Status(429)) } else { Ok(text.len()) }
}

#[tracing::instrument(skip(key), err)]
#[balanced(retries = 1)]
async fn above(key: Key, text: String) -> Result<usize, E> {
    drop(key);
    Ok(text.len())
}

#[balanced]
#[tracing::instrument(err)]
fn below_sync(key: Key, text: &str) -> Result<usize, E> {
    drop(key);
    Ok(text.len())
}

#[tracing::instrument(skip(key))]
#[balanced]
fn above_sync(key: Key, (a, b): (u8, u8)) -> Result<u8, E> {
    drop(key);
    Ok(a + b)
}

/// `#[tokio::main]` takes no arguments: `#[balanced]` comes first and leaves none.
#[balanced(balancer = "instrument")]
#[tokio::main(flavor = "current_thread")]
async fn as_main(key: Key) -> Result<(), E> {
    assert_eq!(egb::key()?, key);
    Ok(())
}

fn main() {
    let balancer = pool();
    let entered = balancer.enter();
    assert_eq!(block_on(below("four")).unwrap(), 4);
    assert_eq!(block_on(above("four".to_owned())).unwrap(), 4);
    assert_eq!((below_sync("four").unwrap(), above_sync((1, 2)).unwrap()), (4, 3));
    assert_eq!(counts(&balancer), (4, 4, 0));
    assert!(matches!(block_on(below("")), Err(E::Status(429))));
    assert_eq!(counts(&balancer), (6, 4, 2));
    drop(entered);
    let _guard = egb::register("instrument", balancer.clone()).unwrap();
    as_main().unwrap();
    assert_eq!(counts(&balancer), (7, 5, 2));
}
