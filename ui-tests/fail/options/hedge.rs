//! What a second attempt at the same time can't be made of.

use egb::{Key, Lease, balanced};

type Result = std::result::Result<(), egb::Error>;

#[balanced(hedge = "800ms")]
fn sync(key: Key) -> Result {
    drop(key);
    Ok(())
}

#[balanced(hedge = "800ms")]
async fn exclusive(key: Key, seen: &mut Vec<u8>) -> Result {
    drop((key, seen));
    Ok(())
}

struct Client;

impl Client {
    #[balanced(hedge = "800ms")]
    async fn by_mut(&mut self, key: Key) -> Result {
        drop(key);
        Ok(())
    }

    #[balanced(hedge = "800ms", retries = 2)]
    async fn by_value(self, key: Key) -> Result {
        drop(key);
        Ok(())
    }

    #[balanced(hedge = "800ms")]
    async fn counted(self: std::sync::Arc<Self>, key: Key) -> Result {
        drop(key);
        Ok(())
    }
}

#[balanced(hedge = "800ms")]
async fn lent(lease: Lease) -> Result {
    drop(lease);
    Ok(())
}

#[balanced(hedge = "0ms")]
async fn at_once(key: Key) -> Result {
    drop(key);
    Ok(())
}

#[balanced(hedge = 800)]
async fn no_unit(key: Key) -> Result {
    drop(key);
    Ok(())
}

#[balanced(hedge = after)]
async fn in_a_pattern(key: Key, (after, _): (std::time::Duration, u8)) -> Result {
    drop((key, after));
    Ok(())
}

#[balanced(hedge)]
async fn no_value(key: Key) -> Result {
    drop(key);
    Ok(())
}

struct NotClone;

#[balanced(hedge = "800ms")]
async fn owned(key: Key, value: NotClone) -> Result {
    drop((key, value));
    Ok(())
}

fn main() {}
