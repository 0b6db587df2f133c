#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Balancer, Key, balanced};

/// Lifetimes that only the key had go with it, and so do the bounds by them.
#[balanced]
fn named<'k, 'a: 'k>(key: &'k Key, text: &'a str) -> Result<&'a str, E> {
    assert_eq!(egb::key()?, *key);
    Ok(text)
}

#[balanced]
fn in_where<'k, 'a, T>(key: &'k str, value: &'a T) -> Result<&'a T, E>
where
    'a: 'k,
    T: 'k + Sync,
{
    assert_eq!(egb::key()?.expose_secret(), key);
    Ok(value)
}

/// A lifetime that others have too stays.
#[balanced]
async fn shared<'a>(key: &'a Key, text: &'a str) -> Result<&'a str, E> {
    assert_eq!(egb::key()?, *key);
    Ok(text)
}

trait Ask {
    fn ask<'a>(&self, text: &'a str) -> Result<&'a str, E>;
}

impl Ask for Balancer {
    #[balanced(balancer = self)]
    fn ask<'a, 'k>(&self, key: &'k Key, text: &'a str) -> Result<&'a str, E> {
        assert_eq!(egb::key()?, *key);
        Ok(text)
    }
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!((named("four").unwrap(), *in_where(&4).unwrap()), ("four", 4));
    assert_eq!(block_on(shared("four")).unwrap(), "four");
    assert_eq!(balancer.ask("four").unwrap(), "four");
    assert_eq!(counts(&balancer), (4, 4, 0));
}
