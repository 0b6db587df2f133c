//! An `Ok` is judged by its status when its type is known to have one.

#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Key, balanced};

#[derive(Debug)]
struct Answer(u16);

impl egb::StatusCode for Answer {
    fn status_code(&self) -> Option<u16> {
        Some(self.0)
    }
}

/// Without a bound the value can't be asked: a success.
#[balanced]
fn unknown<T>(key: Key, value: T) -> Result<T, E> {
    drop(key);
    Ok(value)
}

#[balanced]
async fn known<T: egb::StatusCode, F: egb::StatusCode + From<egb::Error>>(key: Key, value: T) -> Result<T, F> {
    drop(key);
    Ok(value)
}

type Alias<T> = Result<T, E>;

#[balanced]
fn through_an_alias(key: &str) -> Alias<Answer> {
    Ok(Answer(if key.is_empty() { 200 } else { 503 }))
}

#[balanced]
fn boxed(key: Key) -> Result<Box<Answer>, E> {
    drop(key);
    Ok(Box::new(Answer(404)))
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    unknown(Answer(503)).unwrap();
    assert_eq!(counts(&balancer), (1, 1, 0));
    block_on(known::<_, E>(Answer(503))).unwrap();
    through_an_alias().unwrap();
    boxed().unwrap();
    assert_eq!(counts(&balancer), (4, 1, 3));
}
