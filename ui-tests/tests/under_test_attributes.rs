//! `#[balanced]` above the attributes of tests, which see no argument then.

use std::sync::LazyLock;

use egb::{Balancer, Error, Key, balanced};

static POOL: LazyLock<Balancer> =
    LazyLock::new(|| Balancer::builder().keys(["test-key-1", "test-key-2"]).in_memory().build().unwrap());

#[balanced(balancer = POOL)]
#[test]
fn a_test_gets_a_key(key: &Key) -> Result<(), Error> {
    assert_eq!(egb::key()?, *key);
    Ok(())
}

#[balanced(balancer = POOL, keys = 2, retries = 1)]
#[tokio::test]
async fn an_async_test_gets_keys(keys: [Key; 2]) -> Result<(), Error> {
    tokio::task::yield_now().await;
    assert_eq!(egb::keys(2)?, keys);
    Ok(())
}

/// A balanced function under test is called without its key, from a test under any attribute.
#[tokio::test]
async fn a_test_calls_balanced_functions() {
    #[balanced(balancer = POOL)]
    async fn length(key: Key) -> Result<usize, Error> {
        Ok(key.expose_secret().len())
    }
    assert_eq!(length().await.unwrap(), 10);
}
