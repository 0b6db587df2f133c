#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Key, balanced};

#[balanced(keys = 1)]
async fn call(key: Key, text: &str) -> Result<String, E> {
    tokio::task::yield_now().await;
    assert_eq!(egb::key()?, key);
    Ok(text.to_owned())
}

fn main() {
    let balancer = pool();
    assert_eq!(block_on(balancer.scope(async { call("x").await })).unwrap(), "x");
    assert_eq!(counts(&balancer), (1, 1, 0));
}
