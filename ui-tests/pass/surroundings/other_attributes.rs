#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Key, balanced};

/// Below `#[balanced]`: the span does not see the key.
#[balanced(retries = 1)]
#[tracing::instrument]
async fn above(key: Key, text: &str) -> Result<usize, E> {
    tracing::info!(?key, "calling");
    Ok(text.len())
}

/// Above it: the span records the key, which redacts itself.
#[tracing::instrument]
#[balanced]
async fn below(key: Key, text: &str) -> Result<usize, E> {
    drop(key);
    Ok(text.len())
}

#[balanced]
#[inline]
#[must_use = "it says how it went"]
#[doc(hidden)]
fn documented(key: Key) -> Result<(), E> {
    #![allow(unused_mut)]
    let mut _key = key;
    Ok(())
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(block_on(above("four")).unwrap() + block_on(below("four")).unwrap(), 8);
    documented().unwrap();
    assert_eq!(counts(&balancer), (3, 3, 0));
}
