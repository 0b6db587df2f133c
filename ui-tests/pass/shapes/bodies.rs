#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Key, balanced};

#[balanced]
fn early(key: Key, stop: bool) -> Result<u32, E> {
    fn nested() -> u32 {
        return 2;
    }
    const ONE: u32 = 1;
    assert_eq!(egb::key()?, key);
    if stop {
        return Ok(ONE);
    }
    let value: u32 = "40".parse().map_err(|_| E::Status(400))?;
    Ok(value + nested())
}

#[balanced]
async fn early_async(key: Key, stop: bool) -> Result<u32, E> {
    if stop {
        return Err(E::Status(503));
    }
    assert_eq!(egb::key()?, key);
    early(true)
}

#[balanced]
unsafe fn dangerous(key: Key, pointer: *const u32) -> Result<u32, E> {
    assert_eq!(egb::key()?, key);
    Ok(unsafe { *pointer })
}

#[balanced]
fn recursive(key: Key, depth: u32) -> Result<u32, E> {
    assert_eq!(egb::key()?, key);
    if depth == 0 { Ok(0) } else { Ok(1 + recursive(depth - 1)?) }
}

#[balanced]
async fn recursive_async(key: Key, depth: u32) -> Result<u32, E> {
    assert_eq!(egb::key()?, key);
    if depth == 0 { Ok(0) } else { Ok(1 + Box::pin(recursive_async(depth - 1)).await?) }
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!((early(true).unwrap(), early(false).unwrap()), (1, 42));
    assert!(matches!(block_on(early_async(true)), Err(E::Status(503))));
    assert_eq!(block_on(early_async(false)).unwrap(), 1);
    assert_eq!(unsafe { dangerous(&7) }.unwrap(), 7);
    assert_eq!(recursive(3).unwrap(), 3);
    assert_eq!(block_on(recursive_async(3)).unwrap(), 3);
    assert_eq!(counts(&balancer), (14, 13, 1));
}
