//! Every option at once, on every kind of function.

#![deny(warnings)]

#[path = "../../common.rs"]
mod common;

use std::sync::Arc;

use async_trait::async_trait;
use common::{E, counts, pool};
use egb::{Balancer, Key, Lease, Verdict, balanced};

fn judge<T>(result: &Result<T, E>) -> Verdict {
    result.as_ref().map_or_else(|error| Verdict::error(error), |_| Verdict::Success)
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[async_trait]
trait Api: Sync {
    fn pool(&self) -> &Balancer;

    #[balanced(
        keys = 2,
        balancer = self.pool(),
        retries = 1,
        backoff = "1us..2us",
        wait = "1ms",
        deadline = "1h",
        scope = model,
        affinity = session,
        classify = judge,
        crate = ::egb,
    )]
    async fn by_default(&self, keys: [Key; 2], model: &str, session: u32) -> Result<usize, E> {
        if model.is_empty() { Err(E::Status(503)) } else { Ok(keys.len()) }
    }

    async fn required(&mut self, text: String) -> Result<usize, E>;
}

struct Client {
    pool: Balancer,
    calls: usize,
}

#[async_trait]
impl Api for Client {
    fn pool(&self) -> &Balancer {
        &self.pool
    }

    #[balanced(balancer = self.pool, retries = 2, wait = "1ms", deadline = "1h", scope = text)]
    async fn required(&mut self, text: String, lease: Lease) -> Result<usize, E> {
        self.calls += 1;
        if self.calls == 1 {
            return Err(E::Status(503));
        }
        lease.success();
        Ok(text.len())
    }
}

impl Client {
    #[balanced(balancer = self.pool, keys = 2, retries = 1, wait = "1ms", deadline = "1h", affinity = self.calls)]
    async fn shared(self: Arc<Self>, keys: &[Key]) -> Result<usize, E> {
        Ok(keys.len() + self.calls)
    }

    #[balanced(balancer = self.pool, deadline = "1h")]
    async fn by_value(self, key: &str) -> Result<usize, E> {
        Ok(key.len() + self.calls)
    }

    /// What a sync function waits for is bounded too.
    #[balanced(balancer = self.pool, retries = *again, deadline = "1h")]
    fn tried_again(&self, key: &str, again: &u32, fails: &mut u32) -> Result<usize, E> {
        if *fails > 0 {
            *fails -= 1;
            return Err(E::Status(503));
        }
        Ok(key.len())
    }

    #[balanced(balancer = self.pool, wait = "1ms", deadline = "1h")]
    fn waited_for(&self, key: &str) -> Result<usize, E> {
        Ok(key.len())
    }

    #[balanced(balancer = self.pool, wait = "1ms")]
    fn handed_over<'a>(&self, mut lease: Lease, text: &'a str) -> Result<(&'a str, Lease), E> {
        let _ = &mut lease;
        Ok((text, lease))
    }
}

fn main() {
    let mut client = Client { pool: pool(), calls: 0 };
    assert_eq!(common::block_on(is_send(client.by_default("pro", 7))).unwrap(), 2);
    assert!(common::block_on(is_send(client.by_default("", 7))).is_err());
    assert_eq!(counts(&client.pool), (4, 2, 2), "three keys give no second pair");
    assert_eq!(common::block_on(is_send(client.required("four".to_owned()))).unwrap(), 4);
    assert_eq!(counts(&client.pool), (6, 3, 3));
    let (text, lease) = client.handed_over("four").unwrap();
    assert_eq!(text, "four");
    assert_eq!(counts(&client.pool), (7, 3, 3), "the caller has it now");
    lease.success();
    assert_eq!(counts(&client.pool), (7, 4, 3));
    let mut fails = 2;
    assert_eq!(client.tried_again(&2, &mut fails).unwrap(), 10);
    assert_eq!((fails, counts(&client.pool)), (0, (10, 5, 5)));
    assert_eq!(client.waited_for().unwrap(), 10);
    let shared = Arc::new(client);
    assert_eq!(common::block_on(is_send(Arc::clone(&shared).shared())).unwrap(), 4);
    let Ok(client) = Arc::try_unwrap(shared) else { panic!("it was shared no longer") };
    assert_eq!(common::block_on(is_send(client.by_value())).unwrap(), 12);
}
