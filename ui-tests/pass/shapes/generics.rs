#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Key, balanced};

use std::fmt::Display;

#[balanced]
fn generic<T: Display, const N: usize>(key: &Key, value: T, array: [u8; N]) -> Result<(String, usize), E>
where
    T: Clone,
{
    drop(key.clone());
    Ok((value.clone().to_string(), array.len()))
}

#[balanced]
fn explicit<'a, 'b: 'a>(key: &Key, first: &'a str, second: &'b str) -> Result<&'a str, E> {
    Ok(if key.expose_secret().is_empty() { first } else { second })
}

#[balanced]
fn elided<'k>(key: &'k Key, text: &str) -> Result<usize, E> {
    let secret: &str = key.expose_secret();
    Ok(secret.len() + text.len())
}

#[balanced]
async fn opaque(key: Key, value: impl Display) -> Result<impl Display, E> {
    drop(key);
    Ok(format!("<{value}>"))
}

#[balanced]
fn opaque_iterator(key: Key, count: usize) -> Result<impl Iterator<Item = usize>, E> {
    drop(key);
    Ok(0..count)
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(generic(1, [0; 3]).unwrap(), ("1".to_owned(), 3));
    assert_eq!(explicit("a", "b").unwrap(), "b");
    assert_eq!(elided("four").unwrap(), 14);
    assert_eq!(block_on(balancer.scope(async { opaque(1).await })).unwrap().to_string(), "<1>");
    assert_eq!(opaque_iterator(3).unwrap().count(), 3);
    assert_eq!(counts(&balancer), (5, 5, 0));
}
