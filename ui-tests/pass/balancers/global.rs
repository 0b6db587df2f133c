#[path = "../../common.rs"]
mod common;

use common::{E, counts, pool};
use egb::{Key, balanced};

#[balanced]
fn call(key: Key) -> Result<Key, E> {
    assert_eq!(egb::key()?, key);
    Ok(key)
}

fn main() {
    let global = pool();
    let _guard = egb::init(global.clone()).unwrap();
    assert!(matches!(egb::init(pool()), Err(egb::Error::AlreadyRegistered { name: None })));
    call().unwrap();
    assert_eq!(counts(&global), (1, 1, 0));
    let other = pool();
    let entered = other.enter();
    call().unwrap();
    drop(entered);
    call().unwrap();
    assert_eq!((counts(&global).0, counts(&other).0), (2, 1));
}
