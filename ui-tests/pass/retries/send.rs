#[path = "../../common.rs"]
mod common;

use std::cell::Cell;

use common::{E, block_on, counts, pool};
use egb::{Balancer, Key, balanced};

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
    assert_eq!(block_on(assert_send(client.exclusive(Cell::new(1)))).unwrap().get(), 1);
    assert_eq!(block_on(assert_send(client.shared(Cell::new(1), "four"))).unwrap(), 15);
    assert_eq!(counts(&client.0), (2, 2, 0));
}
