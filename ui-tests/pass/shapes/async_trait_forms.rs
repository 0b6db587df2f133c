#[path = "../../common.rs"]
mod common;

use std::rc::Rc;
use std::sync::Arc;

use common::{E, block_on, counts, pool};
use egb::{Balancer, Key, balanced};

#[async_trait::async_trait]
trait Ask: Send + Sync {
    fn pool(&self) -> &Balancer;

    #[balanced(balancer = self.pool(), retries = 2)]
    async fn by_default(&self, key: &Key, text: &str, owned: Vec<u8>) -> Result<usize, E> {
        let length = key.expose_secret().len();
        tokio::task::yield_now().await;
        Ok(length + text.len() + owned.len())
    }

    async fn exclusive(&mut self, text: &str, (a, b): (u8, u8)) -> Result<u8, E>;

    async fn typed(self: &mut Self) -> Result<u8, E>;

    async fn counted(self: Arc<Self>) -> Result<u8, E>;

    async fn generic<'a, T: Send + Sync>(&self, value: &'a T) -> Result<&'a T, E>
    where
        Self: Sized;
}

struct Client {
    pool: Balancer,
    attempts: u8,
}

#[async_trait::async_trait]
impl Ask for Client {
    fn pool(&self) -> &Balancer {
        &self.pool
    }

    /// The receiver is needed again by each attempt.
    #[balanced(balancer = self.pool, retries = 2)]
    async fn exclusive(&mut self, key: Key, text: &str, (a, b): (u8, u8)) -> Result<u8, E> {
        drop((key, text));
        self.attempts += 1;
        if self.attempts < 3 { Err(E::Status(503)) } else { Ok(a + b) }
    }

    #[balanced(balancer = self.pool, retries = 2)]
    async fn typed(self: &mut Self, key: Key) -> Result<u8, E> {
        drop(key);
        self.attempts += 1;
        if self.attempts % 2 == 0 { Err(E::Status(503)) } else { Ok(self.attempts) }
    }

    #[balanced(balancer = self.pool, retries = 2)]
    async fn counted(self: Arc<Self>, key: Key) -> Result<u8, E> {
        drop(key);
        Ok(self.attempts)
    }

    #[balanced(balancer = self.pool)]
    #[tracing::instrument(skip_all, err)]
    async fn generic<'a, T: Send + Sync>(&self, key: &Key, value: &'a T) -> Result<&'a T, E> {
        assert_eq!(egb::key()?, *key);
        Ok(value)
    }
}

#[async_trait::async_trait(?Send)]
trait Local {
    async fn local(&mut self) -> Result<Rc<u8>, E>;
}

#[async_trait::async_trait(?Send)]
impl Local for Client {
    #[balanced(balancer = self.pool, retries = 1)]
    async fn local(&mut self, key: Key) -> Result<Rc<u8>, E> {
        drop(key);
        Ok(Rc::new(self.attempts))
    }
}

fn main() {
    let mut client = Client { pool: pool(), attempts: 0 };
    assert_eq!(block_on(client.by_default("four", vec![1])).unwrap(), 15);
    assert_eq!(block_on(client.exclusive("", (1, 2))).unwrap(), 3);
    assert_eq!(block_on(client.typed()).unwrap(), 5);
    assert_eq!(counts(&client.pool), (6, 3, 3));
    assert_eq!(*block_on(client.generic(&7)).unwrap(), 7);
    assert_eq!(*block_on(client.local()).unwrap(), 5);
    assert_eq!(block_on(Arc::new(client).counted()).unwrap(), 5);
}
