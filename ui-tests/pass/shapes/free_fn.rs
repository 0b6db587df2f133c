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
fn call(key: &Key, text: &str, (a, b): (u8, u8)) -> Result<usize, E> {
    assert!(key.expose_secret().starts_with("test-key-"));
    Ok(text.len() + usize::from(a + b))
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(call("four", (1, 2)).unwrap(), 7);
    assert_eq!(counts(&balancer), (1, 1, 0));
}
