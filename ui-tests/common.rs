//! What the files of `pass/` share: an error type, a pool of three keys, and its counts.
#![allow(dead_code, reason = "each file takes what it needs")]

use egb::Balancer;

#[derive(Debug, thiserror::Error, egb::StatusCode)]
pub enum E {
    #[error("status {0}")]
    #[status(field = 0)]
    Status(u16),
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] egb::Error),
}

pub fn pool() -> Balancer {
    Balancer::builder().keys(["test-key-1", "test-key-2", "test-key-3"]).in_memory().build().unwrap()
}

/// A pool of so many keys.
pub fn pool_of(keys: usize) -> Balancer {
    Balancer::builder().keys((1..=keys).map(|n| format!("test-key-{n}"))).in_memory().build().unwrap()
}

/// Uses of a key, successes, failures.
pub fn counts(balancer: &Balancer) -> (u64, u64, u64) {
    let stats = balancer.stats();
    (stats.uses(), stats.successes(), stats.failures())
}

/// Runs a future that never waits for anything outside.
pub fn block_on<F: std::future::Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
