#![deny(warnings, clippy::all, clippy::pedantic, clippy::nursery, missing_docs, unreachable_pub, unused)]
#![forbid(unsafe_code)]
//! Every kind of function in a crate that denies everything.

use std::time::Duration;

use egb::{Balancer, Error, FromKey, Key, Lease, Verdict, balanced};

const RETRIES: u32 = 2;

/// A ready client.
#[derive(Debug)]
pub struct Ready(Key);

impl FromKey for Ready {
    fn from_key(key: &Key) -> Self {
        Self(key.clone())
    }
}

fn judge<T>(result: &Result<T, Error>) -> Verdict {
    result.as_ref().map_or(Verdict::Neutral, |_| Verdict::Success)
}

/// A client.
#[derive(Debug)]
pub struct Client {
    pool: Balancer,
    wait: Duration,
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

    /// With every option there is.
    ///
    /// # Errors
    ///
    /// When there is no key.
    #[balanced(
        keys = 2,
        balancer = self.pool,
        retries = RETRIES,
        backoff = "1us..2us",
        wait = self.wait,
        deadline = "1min",
        scope = model,
        affinity = session,
        classify = judge,
        crate = ::egb
    )]
    pub async fn with_all(&self, keys: [Key; 2], model: &str, session: u64, mut text: String) -> Result<String, Error> {
        tokio::task::yield_now().await;
        text.push_str(keys[0].expose_secret());
        Ok(text)
    }

    /// The same, sync.
    ///
    /// # Errors
    ///
    /// When there is no key.
    #[balanced(
        keys = 1,
        balancer = self.pool,
        retries = 1,
        backoff = Duration::from_micros(1),
        wait = "1ms",
        deadline = self.wait,
        scope = "model",
        affinity = (session, 7),
        classify = judge
    )]
    pub fn sync_with_all(&self, #[key] ready: Ready, session: Option<u64>) -> Result<usize, Error> {
        Ok(ready.0.expose_secret().len())
    }

    /// With owned arguments, which each attempt uses up.
    ///
    /// # Errors
    ///
    /// When there is no key.
    #[balanced(balancer = self.pool, retries = 1)]
    pub fn owned(&self, key: &Key, text: String, items: impl IntoIterator<Item = u8> + Clone) -> Result<usize, Error> {
        Ok(key.expose_secret().len() + text.into_bytes().len() + items.into_iter().count())
    }

    /// The lease itself.
    ///
    /// # Errors
    ///
    /// When there is no key.
    #[balanced(balancer = self.pool, wait = "1ms", deadline = "1s")]
    pub async fn with_lease(&self, lease: Lease) -> Result<(), Error> {
        tokio::task::yield_now().await;
        lease.success();
        Ok(())
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
    let pool = Balancer::builder().keys(["test-key-1", "test-key-2"]).build()?;
    let client = Client { pool, wait: Duration::from_millis(1) };
    assert_eq!(client.other((1, 2))?, 3);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert_eq!(runtime.block_on(client.call("four".to_owned(), 1))?, 7);
    assert!(runtime.block_on(client.with_all("pro", 7, "with ".to_owned()))?.starts_with("with test-key"));
    assert_eq!(client.sync_with_all(Some(7))?, 10);
    runtime.block_on(client.with_lease())?;
    assert_eq!(client.owned("four".to_owned(), [1])?, 15);
    assert_eq!(client.pool.stats().successes(), 8);
    Ok(())
}
