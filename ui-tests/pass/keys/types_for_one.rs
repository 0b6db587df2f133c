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
fn owned(key: Key) -> Result<String, E> {
    Ok(key.expose_secret().to_owned())
}

#[balanced]
fn borrowed(key: &Key) -> Result<String, E> {
    Ok(key.expose_secret().to_owned())
}

#[balanced]
fn text(key: &str) -> Result<String, E> {
    Ok(key.to_owned())
}

#[balanced]
fn string(key: String) -> Result<String, E> {
    Ok(key)
}

#[balanced]
fn full_path(key: &::egb::Key) -> Result<String, E> {
    Ok(key.expose_secret().to_owned())
}

#[balanced(keys = 1)]
fn unused(_key: Key) -> Result<String, E> {
    Ok(String::new())
}

fn main() {
    let balancer = Balancer::builder().key("the-only-key").in_memory().build().unwrap();
    let _entered = balancer.enter();
    for call in [owned, borrowed, text, string, full_path] {
        assert_eq!(call().unwrap(), "the-only-key");
    }
    unused().unwrap();
    let _ = (pool, counts);
}
