#[path = "../../common.rs"]
mod common;

use common::{E, counts, pool};
use egb::{Key, balanced};

#[balanced]
fn renamed(#[key] secret: &Key) -> Result<usize, E> {
    assert_eq!(egb::key()?, *secret);
    Ok(secret.expose_secret().len())
}

/// With a mark elsewhere, `key` is an argument like others.
#[balanced(keys = 2)]
fn both(key: &str, #[key] mut secrets: Vec<Key>, keys: usize) -> Result<(usize, usize), E> {
    assert_eq!(egb::keys(2)?, secrets);
    secrets.pop();
    Ok((key.len() + keys, secrets.len()))
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(renamed().unwrap(), 10);
    assert_eq!(both("four", 6).unwrap(), (10, 1));
    assert_eq!(counts(&balancer), (3, 3, 0));
}
