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
}
