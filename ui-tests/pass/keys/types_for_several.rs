#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Key, balanced};

const TWO: usize = 2;

#[balanced(keys = 2)]
fn array(keys: [Key; 2]) -> Result<usize, E> {
    assert_ne!(keys[0], keys[1]);
    Ok(keys.len())
}

#[balanced(keys = TWO)]
fn constant(keys: [Key; TWO]) -> Result<usize, E> {
    assert_ne!(keys[0], keys[1]);
    Ok(keys.len())
}

#[balanced(keys = 3)]
async fn slice(keys: &[Key]) -> Result<usize, E> {
    assert_eq!(egb::keys(3)?, keys);
    Ok(keys.len())
}

#[balanced(keys = 2)]
fn vec(keys: Vec<Key>) -> Result<usize, E> {
    Ok(keys.len())
}

#[balanced]
fn one_of_one(keys: [Key; 1]) -> Result<usize, E> {
    Ok(keys.len())
}

#[balanced(keys = 4)]
fn too_many(keys: Vec<Key>) -> Result<usize, E> {
    Ok(keys.len())
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!((array().unwrap(), constant().unwrap(), vec().unwrap(), one_of_one().unwrap()), (2, 2, 2, 1));
    assert_eq!(block_on(slice()).unwrap(), 3);
    assert!(matches!(too_many(), Err(E::Balance(egb::Error::TooFewKeys { wanted: 4, total: 3 }))));
    assert_eq!(counts(&balancer), (10, 10, 0));
}
