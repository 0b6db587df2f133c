use egb::{balanced, Balancer, Key};

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

fn counts(balancer: &Balancer) -> (u64, u64, u64) {
    let stats = balancer.stats();
    (stats.calls(), stats.successes(), stats.failures())
}

/// Runs a future that never waits for anything outside.
fn block_on<F: std::future::Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

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
