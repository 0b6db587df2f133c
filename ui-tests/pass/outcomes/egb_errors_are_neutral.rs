use egb::{Balancer, Key, balanced};

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

#[balanced(balancer = "nowhere")]
fn refused(key: Key) -> Result<(), E> {
    drop(key);
    unreachable!("there is no balancer of this name")
}

/// The inner call had no key: that says nothing of the outer one's, and another would not help.
#[balanced(retries = 2)]
fn outer(key: Key, attempts: &mut u32) -> Result<(), E> {
    drop(key);
    *attempts += 1;
    refused()
}

#[balanced(retries = 2)]
async fn outer_async(key: Key, attempts: &mut u32) -> Result<(), E> {
    drop(key);
    *attempts += 1;
    tokio::task::yield_now().await;
    Ok(refused()?)
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    let mut attempts = 0;
    assert!(matches!(outer(&mut attempts), Err(E::Balance(_))));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(matches!(runtime.block_on(outer_async(&mut attempts)), Err(E::Balance(_))));
    assert_eq!(attempts, 2);
    assert_eq!(counts(&balancer), (2, 0, 0));
    let _ = E::Status;
}
