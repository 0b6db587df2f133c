#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Balancer, Key, balanced};

struct Client(Balancer);

impl Client {
    #[balanced(balancer = self.0, retries = 2)]
    async fn call(&self, key: Key, text: &str, list: &mut Vec<u8>) -> Result<usize, E> {
        tokio::task::yield_now().await;
        list.push(1);
        Ok(text.len() + key.expose_secret().len())
    }
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

fn main() {
    let client = Client(pool());
    let text = String::from("four");
    let mut list = Vec::new();
    let future = assert_send(client.call(&text, &mut list));
    assert_eq!(block_on(future).unwrap(), 14);
    assert_eq!(list, [1]);
    assert_eq!(counts(&client.0), (1, 1, 0));
}
