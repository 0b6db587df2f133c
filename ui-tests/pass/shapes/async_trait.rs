#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Balancer, Key, balanced};

#[async_trait::async_trait]
trait Ask: Send + Sync {
    async fn borrowed(&self, question: &str) -> Result<usize, E>;
    async fn owned(&mut self, question: String) -> Result<usize, E>;
    async fn nothing(&self) -> Result<(), E>;
}

struct Client(Balancer);

#[async_trait::async_trait]
impl Ask for Client {
    #[balanced(balancer = self.0, retries = 1)]
    async fn borrowed(&self, key: &Key, question: &str) -> Result<usize, E> {
        if key.expose_secret().ends_with('1') {
            return Err(E::Status(429));
        }
        tokio::task::yield_now().await;
        Ok(question.len())
    }

    #[balanced(balancer = self.0)]
    async fn owned(&mut self, key: Key, question: String) -> Result<usize, E> {
        Ok(question.len() + key.expose_secret().len())
    }

    #[balanced(balancer = self.0)]
    async fn nothing(&self, key: &str) -> Result<(), E> {
        assert!(!key.is_empty());
        Ok(())
    }
}

fn main() {
    let pool = pool();
    let mut client: Box<dyn Ask> = Box::new(Client(pool.clone()));
    for _ in 0..3 {
        assert_eq!(block_on(client.borrowed("four")).unwrap(), 4);
    }
    assert_eq!(block_on(client.owned("four".to_owned())).unwrap(), 14);
    block_on(client.nothing()).unwrap();
    assert_eq!(counts(&pool), (6, 5, 1));
}
