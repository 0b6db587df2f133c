#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Balancer, Key, balanced};

struct Client {
    pool: Balancer,
    calls: usize,
}

impl Client {
    #[balanced(balancer = self.pool)]
    fn shared(&self, key: &Key) -> Result<usize, E> {
        Ok(key.expose_secret().len() + self.calls)
    }

    #[balanced(balancer = self.pool)]
    fn exclusive(&mut self, key: &str) -> Result<usize, E> {
        self.calls += 1;
        Ok(key.len())
    }

    #[balanced(balancer = self.pool)]
    async fn waiting(&mut self, key: String) -> Result<&mut usize, E> {
        self.calls += key.len();
        Ok(&mut self.calls)
    }

    #[balanced(balancer = self.pool)]
    fn consuming(self, key: Key) -> Result<Self, E> {
        assert!(!key.expose_secret().is_empty());
        Ok(self)
    }

    #[balanced(balancer = self.pool)]
    fn counted(self: std::sync::Arc<Self>, key: Key) -> Result<usize, E> {
        Ok(self.calls + key.expose_secret().len())
    }

    #[balanced(balancer = self.pool)]
    async fn pinned(self: std::pin::Pin<&mut Self>, key: Key) -> Result<usize, E> {
        Ok(self.calls + key.expose_secret().len())
    }

    #[balanced(balancer = pool)]
    fn associated(key: Key, pool: &Balancer) -> Result<Self, E> {
        drop(key);
        Ok(Self { pool: pool.clone(), calls: 0 })
    }
}

fn main() {
    let balancer = pool();
    let mut client = Client::associated(&balancer).unwrap();
    assert_eq!(client.shared().unwrap(), 10);
    assert_eq!(client.exclusive().unwrap(), 10);
    assert_eq!(*block_on(client.waiting()).unwrap(), 11);
    let mut client = client.consuming().unwrap();
    assert_eq!(block_on(std::pin::Pin::new(&mut client).pinned()).unwrap(), 21);
    assert_eq!(std::sync::Arc::new(client).counted().unwrap(), 21);
    assert_eq!(counts(&balancer), (7, 7, 0));
}
