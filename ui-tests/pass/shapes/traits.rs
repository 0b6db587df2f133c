#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Balancer, Key, balanced};

trait Ask {
    fn pool(&self) -> &Balancer;

    fn ask(&self, question: &str) -> Result<usize, E>;

    async fn ask_later(&self, question: &str) -> Result<usize, E>;

    /// A default method, which only the body tells from a declaration.
    #[balanced(balancer = self.pool())]
    fn ask_by_default(&self, key: &Key, question: &str) -> Result<usize, E> {
        Ok(question.len() + key.expose_secret().len())
    }
}

struct Client(Balancer);

impl Ask for Client {
    fn pool(&self) -> &Balancer {
        &self.0
    }

    #[balanced(balancer = self.0)]
    fn ask(&self, key: &Key, question: &str) -> Result<usize, E> {
        Ok(question.len() + key.expose_secret().len())
    }

    #[balanced(balancer = self.0)]
    async fn ask_later(&self, key: Key, question: &str) -> Result<usize, E> {
        Ok(question.len() + key.expose_secret().len())
    }
}

fn main() {
    let client = Client(pool());
    assert_eq!(client.ask("four").unwrap(), 14);
    assert_eq!(client.ask_by_default("four").unwrap(), 14);
    assert_eq!(block_on(client.ask_later("four")).unwrap(), 14);
    assert_eq!(counts(&client.0), (3, 3, 0));
}
