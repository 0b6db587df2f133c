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

#[balanced]
fn renamed(#[key] secret: &Key) -> Result<usize, E> {
    Ok(secret.expose_secret().len())
}

/// With a mark elsewhere, `key` is an argument like others.
#[balanced(keys = 2)]
fn both(key: &str, #[key] mut secrets: Vec<Key>, keys: usize) -> Result<(usize, usize), E> {
    secrets.pop();
    Ok((key.len() + keys, secrets.len()))
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(renamed().unwrap(), 10);
    assert_eq!(both("four", 6).unwrap(), (10, 1));
}
