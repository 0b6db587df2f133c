#[path = "../../common.rs"]
mod common;

use common::{E, counts, pool};
use egb::{Key, balanced};

#[balanced]
fn call(key: &Key, text: &str, (a, b): (u8, u8)) -> Result<usize, E> {
    assert!(key.expose_secret().starts_with("test-key-"));
    Ok(text.len() + usize::from(a + b))
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(call("four", (1, 2)).unwrap(), 7);
    assert_eq!(counts(&balancer), (1, 1, 0));
}
