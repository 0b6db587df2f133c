//! Signatures that are rare: of macros, of aliases with lifetimes, of inherent impls of traits, of patterns of `Self`.
#![deny(warnings)]

#[path = "../../common.rs"]
mod common;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;

use common::{E, block_on, counts, pool};
use egb::{Balancer, Key, Lease, balanced};

static POOL: LazyLock<Balancer> = LazyLock::new(pool);

#[cfg_attr(all(), balanced(balancer = POOL, retries = 1))]
fn under_a_condition(key: Key) -> Result<usize, E> {
    Ok(key.expose_secret().len())
}

struct Client {
    pool: Balancer,
    names: Vec<String>,
}

macro_rules! methods {
    ($($name:ident($self:ident, $key:ident, $argument:ident: $ty:ty) $body:block)*) => {
        impl Client {
            $(
                #[balanced(balancer = $self.pool, retries = 1, scope = $argument)]
                async fn $name(&$self, #[key] $key: Key, $argument: $ty) -> Result<usize, E> $body
            )*
        }
    };
}

methods! {
    by_macro(self, secret, text: &str) {
        Ok(self.names.len() + secret.expose_secret().len() + text.len())
    }
}

macro_rules! result {
    ($ty:ty) => { Result<$ty, E> };
}

macro_rules! pair {
    ($a:ident, $b:ident) => {
        ($a, $b)
    };
}

macro_rules! the_pool {
    () => {
        &*POOL
    };
}

#[balanced(balancer = the_pool!(), retries = 1)]
async fn macros(key: &Key, pair!(a, b): (usize, usize)) -> result!(usize) {
    tokio::task::yield_now().await;
    Ok(key.expose_secret().len() + a + b)
}

type Borrowed<'k> = &'k Key;

#[balanced(balancer = POOL, retries = 1)]
async fn alias(key: Borrowed<'_>) -> Result<usize, E> {
    tokio::task::yield_now().await;
    Ok(key.expose_secret().len())
}

#[balanced(balancer = POOL)]
async fn hidden_lifetime(key: Borrowed) -> Result<usize, E> {
    tokio::task::yield_now().await;
    Ok(key.expose_secret().len())
}

trait Lending {
    type Item<'a>: Debug
    where
        Self: 'a;

    async fn next(&mut self) -> Result<Self::Item<'_>, E>;
}

impl Lending for Client {
    type Item<'a> = (&'a mut String, usize);

    #[balanced(balancer = self.pool)]
    async fn next(&mut self, key: Key) -> Result<Self::Item<'_>, E> {
        let first = self.names.first_mut().ok_or(E::Status(404))?;
        Ok((first, key.expose_secret().len()))
    }
}

trait HasPool {
    fn pool(&self) -> &Balancer;
}

impl HasPool for Client {
    fn pool(&self) -> &Balancer {
        &self.pool
    }
}

impl dyn HasPool + '_ {
    #[balanced(balancer = self.pool(), retries = 2)]
    async fn ask(&self, key: Key, attempts: &mut usize) -> Result<usize, E> {
        *attempts += 1;
        if *attempts < 3 { Err(E::Status(503)) } else { Ok(key.expose_secret().len()) }
    }
}

type Word = Box<dyn for<'a> Fn(&'a str) -> &'a str + Send>;

#[balanced(balancer = POOL)]
fn higher_ranked(key: Key, word: Word) -> Result<Box<dyn for<'a> Fn(&'a str) -> (&'a str, usize) + Send>, E> {
    Ok(Box::new(move |text| (word(text), key.expose_secret().len())))
}

#[balanced(balancer = POOL)]
async fn predicate(key: Key) -> Result<impl Fn(&str) -> bool, E> {
    let length = key.expose_secret().len();
    Ok(move |text: &str| text.len() == length)
}

#[balanced(balancer = POOL)]
fn captures<'a, 'k, T: Debug>(_key: &'k Key, value: &'a T) -> Result<impl Debug + use<'a, T>, E> {
    Ok(value)
}

impl Client {
    #[balanced(balancer = pool, retries = 1)]
    fn of_a_pattern(Self { pool, names }: &Self, key: Key) -> Result<usize, E> {
        drop((pool, key));
        Ok(names.len())
    }

    #[balanced(balancer = self.pool)]
    fn nested(&self, key: &Key) -> Result<bool, E> {
        #[balanced(balancer = POOL)]
        fn inner(key: Key) -> Result<Key, E> {
            Ok(key)
        }
        let inner = inner()?;
        Ok(egb::key()? == *key && inner.expose_secret().len() == key.expose_secret().len())
    }

    #[balanced(balancer = self.pool, deadline = "5s", wait = "1s", keys = 2)]
    async fn pinned<'a>(
        self: Pin<&'a mut Self>,
        lease: Lease,
        number: &'a mut Pin<Box<dyn Future<Output = usize> + Send>>,
    ) -> Result<usize, E> {
        let number = number.as_mut().await + lease.keys().len();
        lease.success();
        Ok(number)
    }
}

#[balanced(balancer = POOL, hedge = "1s")]
async fn diverges(_key: Key, text: &str) -> Result<u8, E> {
    panic!("{text}")
}

fn main() {
    assert_eq!(under_a_condition().unwrap(), 10);
    assert_eq!(block_on(macros((1, 2))).unwrap(), 13);
    assert_eq!((block_on(alias()).unwrap(), block_on(hidden_lifetime()).unwrap()), (10, 10));
    assert_eq!(higher_ranked(Box::new(str::trim)).unwrap()(" a "), ("a", 10));
    assert!(block_on(predicate()).unwrap()("ten lettrs"));
    assert_eq!(format!("{:?}", captures(&7).unwrap()), "7");
    assert_eq!(counts(&POOL), (7, 7, 0));
    let mut client = Client { pool: pool(), names: vec!["four".to_owned()] };
    assert_eq!(block_on(client.by_macro("four")).unwrap(), 15);
    assert_eq!(block_on(client.next()).unwrap(), (&mut "four".to_owned(), 10));
    assert_eq!(Client::of_a_pattern(&client).unwrap(), 1);
    assert!(client.nested().unwrap());
    let mut number: Pin<Box<dyn Future<Output = usize> + Send>> = Box::pin(async { 3 });
    assert_eq!(block_on(Pin::new(&mut client).pinned(&mut number)).unwrap(), 5);
    assert_eq!(counts(&client.pool), (6, 6, 0));
    let (client, mut attempts): (&dyn HasPool, _) = (&client, 0);
    assert_eq!(block_on(client.ask(&mut attempts)).unwrap(), 10);
    assert_eq!((attempts, counts(client.pool())), (3, (9, 7, 2)));
    std::panic::set_hook(Box::new(|_| {}));
    assert!(std::panic::catch_unwind(|| block_on(diverges("text"))).is_err());
}
