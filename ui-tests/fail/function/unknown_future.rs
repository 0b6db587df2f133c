use std::future::Future;
use std::pin::Pin;

use egb::{Error, Key, balanced};


type Answer = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// The name does not say what the future returns.
#[balanced]
fn alias(key: Key) -> Answer {
    Box::pin(async move {
        drop(key);
        Ok(())
    })
}

/// The key would be out of its call when the future runs.
#[balanced]
fn made_elsewhere(key: Key) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send>> {
    let future = async move {
        drop(key);
        Ok(())
    };
    Box::pin(future)
}

fn main() {
    let _ = (alias(), made_elsewhere());
}
