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

/// Below `#[balanced]`: the span does not see the key.
#[balanced(retries = 1)]
#[tracing::instrument]
async fn above(key: Key, text: &str) -> Result<usize, E> {
    tracing::info!(?key, "calling");
    Ok(text.len())
}

/// Above it: the span records the key, which redacts itself.
#[tracing::instrument]
#[balanced]
async fn below(key: Key, text: &str) -> Result<usize, E> {
    drop(key);
    Ok(text.len())
}

#[balanced]
#[inline]
#[must_use = "it says how it went"]
#[doc(hidden)]
fn documented(key: Key) -> Result<(), E> {
    #![allow(unused_mut)]
    let mut _key = key;
    Ok(())
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(block_on(above("four")).unwrap() + block_on(below("four")).unwrap(), 8);
    documented().unwrap();
    assert_eq!(counts(&balancer), (3, 3, 0));
}
