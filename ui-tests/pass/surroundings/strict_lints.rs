#![deny(warnings, clippy::all, clippy::pedantic, clippy::nursery, missing_docs, unreachable_pub, unused)]
#![forbid(unsafe_code)]
//! Every kind of function in a crate that denies everything.

use egb::{Balancer, Error, Key, balanced};

/// A client.
#[derive(Debug)]
pub struct Client {
    pool: Balancer,
}

impl Client {
    /// A call.
    ///
    /// # Errors
    ///
    /// When there is no key.
    #[balanced(balancer = self.pool, keys = 2, retries = 2)]
    pub async fn call(&self, keys: &[Key], text: String, mut count: usize) -> Result<usize, Error> {
        tokio::task::yield_now().await;
        count += keys.len();
        Ok(text.len() + count)
    }

    /// Another.
    ///
    /// # Errors
    ///
    /// When there is no key.
    #[balanced(balancer = self.pool)]
    pub fn other(&self, _key: Key, (a, b): (u8, u8)) -> Result<u8, Error> {
        Ok(a + b)
    }
}

fn main() -> Result<(), Error> {
    let client = Client { pool: Balancer::builder().keys(["test-key-1", "test-key-2"]).build()? };
    assert_eq!(client.other((1, 2))?, 3);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert_eq!(runtime.block_on(client.call("four".to_owned(), 1))?, 7);
    Ok(())
}
