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

#[balanced]
fn call(key: Key) -> Result<Key, E> {
    assert_eq!(egb::key()?, key);
    Ok(key)
}

fn main() {
    let global = pool();
    let _guard = egb::init(global.clone()).unwrap();
    assert!(matches!(egb::init(pool()), Err(egb::Error::AlreadyRegistered { name: None })));
    call().unwrap();
    assert_eq!(counts(&global), (1, 1, 0));
    let other = pool();
    let entered = other.enter();
    call().unwrap();
    drop(entered);
    call().unwrap();
    assert_eq!((counts(&global).0, counts(&other).0), (2, 1));
}
