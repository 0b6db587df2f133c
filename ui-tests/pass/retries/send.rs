use egb::{Balancer, Key, balanced};

#[derive(Debug, thiserror::Error, egb::StatusCode)]
enum E {
    #[error("status {0}")]
    #[status(field = 0)]
    Status(u16),
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] egb::Error),
}

fn pool() -> Balancer {
    Balancer::builder().keys(["test-key-1", "test-key-2", "test-key-3"]).in_memory().build().unwrap()
}

use std::cell::Cell;

struct Client(Balancer);

impl Client {
    /// `Cell` is `Send` and not `Sync`: each attempt owns its copy, and none is borrowed across an `await`.
    #[balanced(balancer = self.0, retries = 1)]
    async fn exclusive(&mut self, key: Key, cell: Cell<u8>) -> Result<Cell<u8>, E> {
        tokio::task::yield_now().await;
        drop(key);
        Ok(cell)
    }

    #[balanced(balancer = self.0, retries = 1)]
    async fn shared(&self, key: &Key, cell: Cell<u8>, text: &str) -> Result<usize, E> {
        tokio::task::yield_now().await;
        Ok(key.expose_secret().len() + usize::from(cell.get()) + text.len())
    }
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

fn main() {
    let mut client = Client(pool());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(assert_send(client.exclusive(Cell::new(1)))).unwrap().get(), 1);
    assert_eq!(runtime.block_on(assert_send(client.shared(Cell::new(1), "four"))).unwrap(), 15);
}
