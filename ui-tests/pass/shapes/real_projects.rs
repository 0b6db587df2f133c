//! Functions as they are found in clients, repositories and services.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};

use egb::{Balancer, Key, balanced};

#[derive(Debug, thiserror::Error, egb::StatusCode)]
pub enum Error {
    #[error("api {status}: {message}")]
    #[status(field = status)]
    Api { status: u16, message: String },
    #[error("unreadable")]
    #[status(none)]
    Parse(#[from] std::num::ParseIntError),
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] egb::Error),
}

/// An alias with a default, as crates have it.
type Result<T, E = Error> = std::result::Result<T, E>;

fn pool() -> Balancer {
    Balancer::builder().keys(["odd-key-1", "odd-key-2", "odd-key-3"]).in_memory().build().unwrap()
}

#[derive(Clone)]
pub struct Client {
    base: Arc<str>,
    pool: Balancer,
}

impl Client {
    #[balanced(balancer = self.pool, retries = 3)]
    async fn post<B: Debug + Sync + ?Sized, R>(&self, key: &Key, path: &str, body: &B) -> Result<R>
    where
        R: std::str::FromStr<Err = std::num::ParseIntError> + Send,
    {
        let url = format!("{}{path}{body:?}", self.base);
        tokio::task::yield_now().await;
        assert!(!key.expose_secret().is_empty());
        Ok(url.len().to_string().parse()?)
    }

    pub async fn chat(&self, messages: &[Cow<'_, str>]) -> Result<u32> {
        self.post("/chat", messages).await
    }

    #[balanced(balancer = &self.pool)]
    async fn words<'s>(&'s self, key: Key, prompt: &'s str) -> Result<impl Iterator<Item = Result<String>> + 's> {
        let _ = key;
        Ok(prompt.split(' ').map(|word| Ok(word.to_owned())))
    }

    #[balanced(balancer = self.pool)]
    async fn filter<'s>(
        &'s self,
        key: Key,
        keep: impl Fn(&str) -> bool + Send + 's,
    ) -> Result<Box<dyn Fn(&str) -> bool + Send + 's>> {
        drop(key);
        Ok(Box::new(keep))
    }

    #[balanced(balancer = Self::default_pool())]
    fn associated(key: &str, more: usize) -> Result<usize> {
        Ok(key.len() + more)
    }

    fn default_pool() -> &'static Balancer {
        static POOL: LazyLock<Balancer> = LazyLock::new(pool);
        &POOL
    }

    /// Names that the expansion uses too.
    #[balanced(balancer = self.pool, retries = 1)]
    async fn shadows(&self, key: Key, lease: u8, __lease: u8, __outcome: Option<&str>) -> Result<u8> {
        let __key = key;
        let __error = __outcome.map_or(0, str::len);
        drop(__key);
        Ok(lease + __lease + u8::try_from(__error).unwrap())
    }

    #[balanced(balancer = self.pool)]
    pub(crate) async fn leaves_early(&self, key: &Key, items: &[u8]) -> Result<u8> {
        let mut best = 0;
        for item in items {
            if *item == 9 {
                return Ok(9);
            }
            best = best.max(*item);
        }
        let checked: Result<Vec<u8>> = items
            .iter()
            .map(|item| match item {
                200.. => Err(Error::Api { status: 500, message: key.masked() }),
                item => Ok(*item),
            })
            .collect();
        checked?;
        Ok(best)
    }

    #[balanced(balancer = self.pool)]
    async fn locks(&self, key: Key, map: &Mutex<HashMap<String, usize>>) -> Result<usize> {
        let size = map.lock().unwrap().len();
        tokio::task::yield_now().await;
        Ok(size + key.expose_secret().len())
    }

    #[balanced(balancer = self.pool)]
    fn temporary_in_the_tail(&self, key: Key, value: &Mutex<u8>) -> Result<u8> {
        drop(key);
        Ok(*value.lock().unwrap())
    }

    #[balanced(balancer = self.pool)]
    async fn coerces(&self, key: Key) -> Result<Box<dyn Display + Send>> {
        Ok(Box::new(key.masked()))
    }

    #[balanced(balancer = self.pool)]
    async fn never_succeeds(&self, key: Key) -> Result<Infallible> {
        drop(key);
        Err(Error::Api { status: 404, message: String::new() })
    }
}

pub struct Repository<T, const N: usize> {
    pool: Balancer,
    marker: PhantomData<T>,
}

impl<T, const N: usize> Repository<T, N>
where
    T: Default + Send,
{
    #[balanced(balancer = self.pool, keys = N, retries = 1)]
    async fn fetch(&self, keys: [Key; N], id: u64) -> Result<T>
    where
        T: Sync,
    {
        assert_eq!((keys.len(), id), (N, 1));
        Ok(T::default())
    }

    #[balanced(balancer = self.pool)]
    fn chained<'a, F>(&'a mut self, key: &Key, change: F) -> Result<&'a mut Self>
    where
        F: FnOnce(&mut Self),
    {
        assert!(!key.masked().is_empty());
        change(self);
        Ok(self)
    }
}

trait Native {
    fn ask(&self, number: u8) -> impl Future<Output = Result<u8>> + Send;
}

impl Native for Client {
    #[balanced(balancer = self.pool)]
    async fn ask(&self, key: Key, number: u8) -> Result<u8> {
        tokio::task::yield_now().await;
        drop(key);
        Ok(number)
    }
}

#[balanced]
async fn dynamic(key: Key, call: Box<dyn FnOnce(&Key) -> usize + Send>) -> Result<usize> {
    Ok(call(&key))
}

#[balanced]
async fn pinned(key: Key, mut future: Pin<&mut (dyn Future<Output = u8> + Send)>) -> anyhow::Result<u8> {
    drop(key);
    Ok(future.as_mut().await)
}

#[balanced]
fn slices(key: Key, [first, rest @ ..]: &[u8; 3], &by_reference: &u8, ref borrowed: u8) -> Result<u8> {
    drop(key);
    Ok(first + rest[0] + by_reference + borrowed)
}

#[balanced(retries = 1)]
fn nested_impl(key: Key, items: impl IntoIterator<Item = impl AsRef<str>> + Clone) -> Result<usize> {
    drop(key);
    Ok(items.into_iter().map(|item| item.as_ref().len()).sum())
}

#[balanced]
extern "Rust" fn explicit_abi(key: Key) -> Result<()> {
    drop(key);
    Ok(())
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

fn main() {
    let global = pool();
    let _guard = egb::init(global.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(calls()).unwrap();
    assert_eq!((global.stats().calls(), global.stats().successes()), (5, 5));
}

async fn calls() -> anyhow::Result<()> {
    let client = Client { base: "base".into(), pool: pool() };
    assert_eq!(assert_send(client.chat(&["hello".into()])).await?, 18);
    assert_eq!(client.words("a b").await?.count(), 2);
    assert!(client.filter(str::is_empty).await?(""));
    assert_eq!(Client::associated(1)?, 10);
    assert_eq!(assert_send(client.shadows(1, 2, Some("four"))).await?, 7);
    assert_eq!((client.leaves_early(&[1, 9]).await?, client.leaves_early(&[1, 7]).await?), (9, 7));
    assert!(client.leaves_early(&[250]).await.is_err());
    assert_eq!(client.locks(&Mutex::default()).await?, 9);
    assert_eq!(client.temporary_in_the_tail(&Mutex::new(1))?, 1);
    assert_eq!(client.coerces().await?.to_string(), "…");
    assert!(client.never_succeeds().await.is_err());
    let mut repository: Repository<String, 2> = Repository { pool: pool(), marker: PhantomData };
    assert_eq!(assert_send(repository.fetch(1)).await?, "");
    repository.chained(|_| ())?.chained(|_| ())?;
    assert_eq!(assert_send(Native::ask(&client, 1)).await?, 1);
    assert_eq!(assert_send(dynamic(Box::new(|key| key.expose_secret().len()))).await?, 9);
    let mut future = Box::pin(async { 1 });
    assert_eq!(pinned(future.as_mut()).await?, 1);
    assert_eq!(slices(&[1, 2, 3], &1, 1)?, 5);
    assert_eq!(nested_impl(["a", "bc"])?, 3);
    explicit_abi()?;
    let stats = client.pool.stats();
    assert_eq!((stats.successes(), stats.failures()), (10, 2));
    Ok(())
}
