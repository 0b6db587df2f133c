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

mod sdk {
    pub mod balancing {
        pub use egb::*;
    }
}

#[balanced(crate = crate::sdk::balancing)]
fn call(key: Key) -> Result<usize, E> {
    Ok(key.expose_secret().len())
}

#[derive(Debug, sdk::balancing::StatusCode)]
#[status(crate = crate::sdk::balancing)]
enum Other {
    #[status(transparent)]
    Balance(egb::Error),
}

impl From<egb::Error> for Other {
    fn from(error: egb::Error) -> Self {
        Self::Balance(error)
    }
}

#[sdk::balancing::balanced(crate = crate::sdk::balancing)]
fn other(key: Key) -> Result<usize, Other> {
    Ok(key.expose_secret().len())
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(call().unwrap() + other().unwrap(), 20);
    assert_eq!(counts(&balancer), (2, 2, 0));
}
