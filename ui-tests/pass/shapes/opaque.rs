#[path = "../../common.rs"]
mod common;

use std::error::Error;
use std::fmt::Display;

use common::{E, block_on, counts, pool};
use egb::{Key, balanced};

/// `?` converts and `return` coerces, though part of the type has no name.
#[balanced(retries = 1)]
async fn display(key: Key, text: &str) -> Result<impl Display, E> {
    drop(key);
    let number: u8 = text.parse().map_err(|_| E::Status(400))?;
    if number == 0 {
        return Err(E::Status(404));
    }
    Ok(number + u8::try_from(egb::keys(1)?.len()).unwrap_or_default())
}

#[balanced]
fn iterator(key: Key, text: &str) -> Result<impl Iterator<Item = u8>, Box<dyn Error>> {
    drop(key);
    let number: u8 = text.parse()?;
    Ok(0..number)
}

#[balanced]
fn closure(key: &Key) -> Result<impl Fn(usize) -> usize, E> {
    let length = key.expose_secret().len();
    Ok(move |more| length + more)
}

#[balanced]
async fn coerced(key: Key) -> Result<Box<dyn Display>, Box<dyn Error>> {
    drop(key);
    if false {
        return Err("never".into());
    }
    Ok(Box::new("text"))
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(block_on(display("3")).unwrap().to_string(), "4");
    assert_eq!(iterator("3").unwrap().count(), 3);
    assert_eq!(closure().unwrap()(1), 11);
    assert_eq!(block_on(coerced()).unwrap().to_string(), "text");
    assert_eq!(counts(&balancer), (4, 4, 0));
    assert!(matches!(block_on(display("0")).map(drop), Err(E::Status(404))));
    assert!(iterator("x").is_err());
    assert_eq!(counts(&balancer), (6, 4, 2));
}
