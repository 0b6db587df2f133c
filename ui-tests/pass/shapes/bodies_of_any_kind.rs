#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Key, balanced};

#[balanced(retries = 1)]
async fn labels_and_loops(key: Key, count: u8) -> Result<u8, E> {
    assert_eq!(egb::key()?, key);
    let mut at = 0;
    let sum = 'outer: loop {
        loop {
            at += 1;
            if at == 100 {
                return Ok(0);
            }
            if at > count {
                break 'outer at;
            }
        }
    };
    Ok(sum)
}

#[balanced(retries = 1)]
fn callbacks(
    key: Key,
    generic: impl Fn(&str) -> u8 + Clone,
    pointer: fn(u8) -> u8,
    dynamic: &mut dyn FnMut(u8),
) -> Result<u8, E> {
    assert_eq!(egb::key()?, key);
    let value = pointer(generic("four"));
    dynamic(value);
    Ok(value)
}

#[balanced]
fn leaves_early(key: Key) -> Result<u8, E> {
    assert_eq!(egb::key()?, key);
    return Err(E::Status(503));
}

#[balanced]
async fn has_no_value(key: Key) -> Result<(), E> {
    assert_eq!(egb::key()?, key);
    Err(E::Status(503))?
}

#[balanced]
async fn holds_a_result(key: &Key) -> Result<Result<usize, String>, E> {
    Ok(Err(key.masked()))
}

#[balanced(retries = 3,)]
fn has_trailing_commas(key: Key,) -> Result<(), E> {
    assert_eq!(egb::key()?, key);
    Ok(())
}

#[balanced()]
fn has_no_options(key: Key) -> Result<(), E> {
    assert_eq!(egb::key()?, key);
    Ok(())
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(block_on(labels_and_loops(3)).unwrap(), 4);
    let mut seen = 0;
    assert_eq!(callbacks(|text| text.len() as u8, |value| value + 1, &mut |value| seen = value).unwrap(), 5);
    assert_eq!(seen, 5);
    assert!(matches!(leaves_early(), Err(E::Status(503))));
    assert!(matches!(block_on(has_no_value()), Err(E::Status(503))));
    assert!(block_on(holds_a_result()).unwrap().is_err());
    has_trailing_commas().and(has_no_options()).unwrap();
    assert_eq!(counts(&balancer), (7, 5, 2));
}
