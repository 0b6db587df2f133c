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

/// Lifetimes that only the key had go with it, and so do the bounds by them.
#[balanced]
fn named<'k, 'a: 'k>(key: &'k Key, text: &'a str) -> Result<&'a str, E> {
    let _: &Key = key;
    Ok(text)
}

#[balanced]
fn in_where<'k, 'a, T>(key: &'k str, value: &'a T) -> Result<&'a T, E>
where
    'a: 'k,
    T: 'k + Sync,
{
    assert!(!key.is_empty());
    Ok(value)
}

/// A lifetime that others have too stays.
#[balanced]
async fn shared<'a>(key: &'a Key, text: &'a str) -> Result<&'a str, E> {
    let _: &Key = key;
    Ok(text)
}

trait Ask {
    fn ask<'a>(&self, text: &'a str) -> Result<&'a str, E>;
}

impl Ask for Balancer {
    #[balanced(balancer = self)]
    fn ask<'a, 'k>(&self, key: &'k Key, text: &'a str) -> Result<&'a str, E> {
        let _: &Key = key;
        Ok(text)
    }
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!((named("four").unwrap(), *in_where(&4).unwrap()), ("four", 4));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(shared("four")).unwrap(), "four");
    assert_eq!(balancer.ask("four").unwrap(), "four");
    let _ = E::Status;
}
