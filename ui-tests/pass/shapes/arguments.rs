#[path = "../../common.rs"]
mod common;

use common::{E, counts, pool};
use egb::{Key, balanced};

struct Options {
    depth: u32,
}

#[balanced]
fn patterns(
    Options { depth }: Options,
    mut counter: u32,
    key: Key,
    [first, .., last]: [u32; 3],
    _: &str,
    r#type: u32,
    _unused: u32,
    #[cfg(any())] gone: Missing,
    #[cfg(all())] here: u32,
) -> Result<u32, E> {
    assert_eq!(egb::key()?, key);
    counter += depth;
    Ok(counter + first + last + r#type + here)
}

#[balanced]
fn mutable_key(mut key: Key) -> Result<Key, E> {
    let old = key;
    key = "another".into();
    drop(old);
    Ok(key)
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(patterns(Options { depth: 1 }, 10, [100, 0, 200], "", 1000, 0, 5000).unwrap(), 6311);
    assert_eq!(mutable_key().unwrap().expose_secret(), "another");
    assert_eq!(counts(&balancer), (2, 2, 0));
}
