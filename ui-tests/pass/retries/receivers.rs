#[path = "../../common.rs"]
mod common;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use common::{E, block_on, counts, pool};
use egb::{Balancer, Key, balanced};

struct Client {
    pool: Balancer,
    attempts: AtomicU32,
}

impl Client {
    fn new() -> Self {
        Self { pool: pool(), attempts: AtomicU32::new(0) }
    }

    /// Fails twice.
    fn attempt(&self) -> Result<u32, E> {
        match self.attempts.fetch_add(1, Ordering::Relaxed) {
            attempt @ 0..2 => Err(E::Status(500 + u16::try_from(attempt).unwrap())),
            attempt => Ok(attempt),
        }
    }

    #[balanced(balancer = self.pool, retries = 2)]
    fn boxed(self: Box<Self>, key: Key) -> Result<u32, E> {
        assert_eq!(egb::key()?, key);
        self.attempt()
    }

    #[balanced(balancer = self.pool, retries = 2)]
    async fn counted(self: Arc<Self>, key: Key) -> Result<u32, E> {
        assert_eq!(egb::key()?, key);
        let clone = Arc::clone(&self);
        tokio::task::yield_now().await;
        clone.attempt()
    }

    #[balanced(balancer = self.pool, retries = 2)]
    async fn pinned(mut self: Pin<&mut Self>, key: Key) -> Result<u32, E> {
        assert_eq!(egb::key()?, key);
        self.as_mut().attempt()
    }

    #[balanced(balancer = self.pool, retries = 2)]
    fn typed(self: &Self, key: Key) -> Result<u32, E> {
        assert_eq!(egb::key()?, key);
        self.attempt()
    }

    /// What is returned is of `self`, which is shared, and not of the list.
    #[balanced(balancer = self.pool, retries = 2)]
    fn leaked(&self, key: &Key, list: &mut Vec<u32>) -> Result<&mut usize, E> {
        list.push(self.attempt()?);
        Ok(Box::leak(Box::new(key.expose_secret().len())))
    }

    #[balanced(balancer = self.pool, retries = 2)]
    fn borrowing<'a>(&'a self, key: &Key, text: &'a str) -> Result<(&'a AtomicU32, &'a str), E> {
        drop(key.clone());
        self.attempt()?;
        Ok((&self.attempts, text))
    }
}

fn main() {
    assert_eq!(Box::new(Client::new()).boxed().unwrap(), 2);
    let client = Arc::new(Client::new());
    assert_eq!(block_on(client.clone().counted()).unwrap(), 2);
    assert_eq!(counts(&client.pool), (3, 1, 2));
    assert_eq!(block_on(Pin::new(&mut Client::new()).pinned()).unwrap(), 2);
    assert_eq!(Client::new().typed().unwrap(), 2);
    assert_eq!(Client::new().borrowing("four").unwrap().1, "four");
    let mut list = Vec::new();
    assert_eq!(*Client::new().leaked(&mut list).unwrap(), 10);
    assert_eq!(list, [2]);
}
