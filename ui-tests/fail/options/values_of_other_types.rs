use std::time::Duration;

use egb::{Error, Key, balanced};

const SECONDS: u64 = 5;

#[balanced(wait = SECONDS, deadline = limit)]
async fn numbers(_key: Key, limit: f64) -> Result<(), Error> {
    Ok(())
}

#[balanced(retries = 2, backoff = (Duration::ZERO, Duration::MAX))]
fn a_tuple(_key: Key) -> Result<(), Error> {
    Ok(())
}

struct Model;

#[balanced(scope = model, affinity = model)]
fn things(_key: Key, model: &Model) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let _ = (numbers(0.5), a_tuple(), things(&Model));
}
