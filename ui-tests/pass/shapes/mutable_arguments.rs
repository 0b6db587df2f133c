//! What the body may change is its own: no lint speaks of captures.

#![deny(warnings)]

#[path = "../../common.rs"]
mod common;

use common::{E, counts, pool};
use egb::{Key, balanced};

#[derive(Clone)]
struct Options {
    count: usize,
    name: &'static str,
}

#[balanced]
async fn once(_key: Key, mut options: Options, mut text: String) -> Result<String, E> {
    options.count = 2;
    options.name = "new";
    tokio::task::yield_now().await;
    text.push_str(&options.name.repeat(options.count));
    Ok(text)
}

#[balanced(retries = 1)]
async fn again(mut key: String, mut options: Options, text: &mut String) -> Result<String, E> {
    options.name = "new";
    key.clear();
    text.push('x');
    tokio::task::yield_now().await;
    if text.len() == 1 { Err(E::Status(503)) } else { Ok(options.name.repeat(options.count) + &key) }
}

#[balanced(retries = 1)]
fn sync(_key: Key, mut options: Options, #[cfg(all())] mut count: usize, #[cfg(any())] mut gone: u8) -> Result<usize, E> {
    options.count = 3;
    count += options.count;
    Ok(count + options.name.len())
}

#[balanced]
fn borrowed(_key: &Key, mut texts: &[&'static str]) -> Result<&'static str, E> {
    texts = &texts[1..];
    Ok(texts[0])
}

/// Not the argument is mutable here, but what is taken out of it.
#[balanced(retries = 1)]
fn by_reference(_key: &Key, ref mut count: u32, mut whole @ (first, _): (u32, u32)) -> Result<u32, E> {
    *count += 1;
    whole.1 += first;
    Ok(*count + whole.1)
}

#[balanced]
async fn by_reference_async(_key: &Key, ref mut count: u32) -> Result<u32, E> {
    *count += 1;
    Ok(*count)
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    let options = Options { count: 1, name: "old" };
    assert_eq!(common::block_on(once(options.clone(), "a ".to_owned())).unwrap(), "a newnew");
    assert_eq!(common::block_on(again(options.clone(), &mut String::new())).unwrap(), "new");
    assert_eq!(sync(options, 1).unwrap(), 7);
    assert_eq!(by_reference(1, (2, 3)).unwrap(), 7);
    assert_eq!(common::block_on(by_reference_async(1)).unwrap(), 2);
    assert_eq!(borrowed(&["a", "b"]).unwrap(), "b");
    assert_eq!(counts(&balancer), (7, 6, 1));
}
