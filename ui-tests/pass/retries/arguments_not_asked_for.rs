//! What a retry does not need again need not be `Clone`.

#![deny(warnings)]

#[path = "../../common.rs"]
mod common;

use common::{E, counts, pool};
use egb::{Balancer, Key, balanced};

struct NotClone;

#[balanced(balancer = pool, retries = 2)]
fn ignored(key: &Key, _: NotClone, pool: &Balancer, _: &mut NotClone) -> Result<usize, E> {
    if pool.stats().uses() < 3 { Err(E::Status(503)) } else { Ok(key.expose_secret().len()) }
}

#[balanced(balancer = pool, retries = 2)]
async fn ignored_async(key: Key, _: NotClone, pool: &Balancer) -> Result<usize, E> {
    if pool.stats().uses() < 6 { Err(E::Status(503)) } else { Ok(key.expose_secret().len()) }
}

fn main() {
    let balancer = pool();
    assert_eq!(ignored(NotClone, &balancer, &mut NotClone).unwrap(), 10);
    assert_eq!(common::block_on(ignored_async(NotClone, &balancer)).unwrap(), 10);
    assert_eq!(counts(&balancer), (6, 2, 4));
}
