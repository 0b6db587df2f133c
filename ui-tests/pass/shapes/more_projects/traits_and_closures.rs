//! What is called through traits and closures.

use std::future::Future;
use std::ops::AsyncFnOnce;
use std::pin::Pin;

use egb::{Balancer, Key, balanced};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::{ApiError, App, Result, is_send};

// Trait objects: futures boxed by hand, and recursion through them.

/// Does something somewhere.
pub trait Backend: Send + Sync {
    /// It.
    fn complete<'a>(&'a self, prompt: &'a str) -> Pin<Box<dyn Future<Output = Result<String>> + Send + 'a>>;
}

impl Backend for App {
    #[balanced(balancer = self.pool, retries = 1)]
    fn complete<'a>(&'a self, key: Key, prompt: &'a str) -> Pin<Box<dyn Future<Output = Result<String>> + Send + 'a>> {
        Box::pin(async move {
            drop(key);
            match prompt.split_once(' ') {
                Some((first, rest)) => Ok(self.complete(rest).await? + first),
                None => Ok(prompt.to_owned()),
            }
        })
    }
}

#[balanced(balancer = backends.0)]
async fn all(key: &Key, backends: (Balancer, Vec<Box<dyn Backend>>), prompt: &str) -> Result<Vec<String>> {
    assert_eq!(egb::key()?, *key);
    stream::iter(&backends.1).then(|backend| backend.complete(prompt)).try_collect().await
}

// Closures that are passed in, async ones among them.

#[balanced(balancer = pool, retries = 1)]
async fn with<F, Fut, T>(key: Key, pool: &Balancer, call: F) -> Result<T>
where
    F: Fn(Key) -> Fut + Send + Sync + Clone,
    Fut: Future<Output = Result<T>> + Send,
    T: Send,
{
    call(key).await
}

#[balanced(balancer = pool)]
async fn with_async_closure<T>(key: Key, pool: &Balancer, call: impl AsyncFnOnce(&Key) -> Result<T>) -> Result<T> {
    call(&key).await
}

#[balanced(balancer = pool, retries = 1)]
fn visit<'a, V>(key: &Key, pool: &Balancer, text: &'a str, visitor: &mut V) -> Result<&'a str>
where
    V: FnMut(&'a str, &Key) + ?Sized,
{
    visitor(text, key);
    Ok(text)
}

// Extension traits, `where Self: Sized`, constants of a trait, batches by constant generics.

/// For all that has a pool.
pub trait Ask: AsRef<Balancer> {
    /// How often.
    const TIMES: u32;

    /// Asks.
    ///
    /// # Errors
    ///
    /// The API's.
    #[balanced(balancer = self.as_ref(), retries = Self::TIMES)]
    fn ask(&self, key: &Key, question: &str) -> Result<(usize, &Self)>
    where
        Self: Sized,
    {
        if question.is_empty() { Err(ApiError::status(503)) } else { Ok((key.expose_secret().len(), self)) }
    }

    /// Many at once.
    ///
    /// # Errors
    ///
    /// The API's.
    #[balanced(balancer = self.as_ref(), keys = N)]
    fn batch<const N: usize>(&self, keys: [Key; N], questions: [&str; N]) -> Result<[usize; N]> {
        drop(keys);
        Ok(questions.map(str::len))
    }
}

impl AsRef<Balancer> for App {
    fn as_ref(&self) -> &Balancer {
        &self.pool
    }
}

impl Ask for App {
    const TIMES: u32 = 5;
}

pub(super) async fn calls(pool: &Balancer, app: &App) -> Result<()> {
    assert_eq!(app.complete("a b c").await?, "cba");
    let backends = (pool.clone(), vec![Box::new(app.clone()) as Box<dyn Backend>, Box::new(app.clone())]);
    assert_eq!(is_send(all(backends, "a b")).await?, ["ba", "ba"]);

    assert_eq!(is_send(with(pool, |key| async move { Ok(key.expose_secret().len()) })).await?, 10);
    let mut seen = 0;
    let count = async |key: &Key| {
        seen = key.expose_secret().len();
        tokio::task::yield_now().await;
        Ok(seen)
    };
    assert_eq!(with_async_closure(pool, count).await?, 10);
    let mut words = Vec::new();
    assert_eq!(visit(pool, "word", &mut |text, _: &Key| words.push(text))?, "word");
    assert_eq!(words, ["word"]);

    assert!(app.ask("why").is_ok_and(|(size, same)| size == 10 && same.greeting == "hi"));
    assert_eq!(app.batch(["one", "three"])?, [3, 5]);
    Ok(())
}
