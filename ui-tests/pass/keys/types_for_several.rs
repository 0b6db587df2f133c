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

const TWO: usize = 2;

#[balanced(keys = 2)]
fn array(keys: [Key; 2]) -> Result<usize, E> {
    assert_ne!(keys[0], keys[1]);
    Ok(keys.len())
}

#[balanced(keys = TWO)]
fn constant(keys: [Key; TWO]) -> Result<usize, E> {
    assert_ne!(keys[0], keys[1]);
    Ok(keys.len())
}

#[balanced(keys = 3)]
async fn slice(keys: &[Key]) -> Result<usize, E> {
    assert_eq!(egb::keys(3)?, keys);
    Ok(keys.len())
}

#[balanced(keys = 2)]
fn vec(keys: Vec<Key>) -> Result<usize, E> {
    Ok(keys.len())
}

#[balanced]
fn one_of_one(keys: [Key; 1]) -> Result<usize, E> {
    Ok(keys.len())
}

#[balanced(keys = 4)]
fn too_many(keys: Vec<Key>) -> Result<usize, E> {
    Ok(keys.len())
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!((array().unwrap(), constant().unwrap(), vec().unwrap(), one_of_one().unwrap()), (2, 2, 2, 1));
    assert_eq!(block_on(slice()).unwrap(), 3);
    assert!(matches!(too_many(), Err(E::Balance(egb::Error::TooFewKeys { wanted: 4, total: 3 }))));
    assert_eq!(counts(&balancer), (10, 10, 0));
}
