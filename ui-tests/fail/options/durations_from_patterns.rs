use std::time::Duration;

use egb::{Error, Key, balanced};

#[derive(Clone)]
struct Limits {
    wait: Duration,
    pause: Duration,
}

#[balanced(retries = 1, wait = wait, backoff = pause)]
fn call(_key: Key, Limits { wait, pause }: Limits) -> Result<Duration, Error> {
    Ok(wait + pause)
}

fn main() {
    call(Limits { wait: Duration::ZERO, pause: Duration::ZERO }).unwrap();
}
