//! Durations as strings, constants, fields, arguments and options of one; numbers as constants.

#![deny(warnings)]

#[path = "../../common.rs"]
mod common;

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use common::{E, counts, pool};
use egb::{Balancer, Key, balanced};

const RETRIES: u32 = 2;
const WAIT: Duration = Duration::from_millis(1);
const PAUSES: Range<Duration> = Duration::from_micros(1)..Duration::from_micros(9);

#[balanced(retries = 2, backoff = "1us..0.02ms", wait = "1ms", deadline = "1.5min")]
async fn strings(key: Key, status: u16) -> Result<usize, E> {
    answer(&key, status)
}

#[balanced(retries = RETRIES, backoff = PAUSES, wait = WAIT, deadline = 60 * WAIT)]
async fn constants(key: Key, status: u16) -> Result<usize, E> {
    answer(&key, status)
}

#[balanced(retries = RETRIES, backoff = "10us", wait = "1ms", deadline = "1h")]
fn sync(key: &Key, status: u16) -> Result<usize, E> {
    answer(key, status)
}

struct Client {
    pool: Balancer,
    retries: u32,
    pauses: RangeInclusive<Duration>,
    wait: Option<Duration>,
    within: Duration,
}

impl Client {
    #[balanced(
        balancer = self.pool,
        retries = self.retries,
        backoff = self.pauses.clone(),
        wait = self.wait,
        deadline = self.within
    )]
    async fn fields(&self, key: &Key, status: u16) -> Result<usize, E> {
        answer(key, status)
    }

    #[balanced(balancer = self.pool, retries = retries, backoff = pause, wait = wait.min(self.within))]
    fn arguments(&mut self, key: &Key, retries: u32, pause: Duration, wait: Duration) -> Result<usize, E> {
        self.retries += 1;
        answer(key, if retries == 0 { 200 } else { 503 })
    }
}

fn answer(key: &Key, status: u16) -> Result<usize, E> {
    if status == 200 { Ok(key.expose_secret().len()) } else { Err(E::Status(status)) }
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    for status in [200, 503] {
        assert_eq!(common::block_on(strings(status)).is_ok(), status == 200);
        assert_eq!(common::block_on(constants(status)).is_ok(), status == 200);
        assert_eq!(sync(status).is_ok(), status == 200);
    }
    assert_eq!(counts(&balancer), (12, 3, 9));
    let mut client =
        Client { pool: pool(), retries: 1, pauses: WAIT..=2 * WAIT, wait: None, within: Duration::from_secs(60) };
    assert!(common::block_on(client.fields(200)).is_ok());
    assert!(common::block_on(client.fields(503)).is_err());
    assert!(client.arguments(0, WAIT, WAIT).is_ok());
    assert!(client.arguments(2, WAIT, WAIT).is_err());
    assert_eq!(client.retries, 1 + 1 + 3);
    assert_eq!(counts(&client.pool), (7, 2, 5));
}
