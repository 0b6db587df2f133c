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

#[balanced(keys = 1)]
async fn call(key: Key, text: &str) -> Result<String, E> {
    tokio::task::yield_now().await;
    assert_eq!(egb::key()?, key);
    Ok(text.to_owned())
}

fn main() {
    let balancer = pool();
    assert_eq!(block_on(balancer.scope(async { call("x").await })).unwrap(), "x");
    assert_eq!(counts(&balancer), (1, 1, 0));
}
