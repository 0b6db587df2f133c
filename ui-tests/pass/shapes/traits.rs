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
