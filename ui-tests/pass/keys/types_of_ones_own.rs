//! Types of the user's that are made from a key, and the lease itself.

#![deny(warnings)]

#[path = "../../common.rs"]
mod common;

use common::{E, counts, pool};
use egb::{FromKey, Key, Lease, balanced};

/// A ready client.
struct Client {
    key: Key,
    base: &'static str,
}

impl FromKey for Client {
    fn from_key(key: &Key) -> Self {
        Self { key: key.clone(), base: "https://api.example" }
    }
}

struct Typed<T>(T);

impl<T: From<Key>> FromKey for Typed<T> {
    fn from_key(key: &Key) -> Self {
        Self(key.clone().into())
    }
}

#[balanced]
fn marked(path: &str, #[key] client: Client) -> Result<String, E> {
    assert!(client.key.expose_secret().starts_with("test-key"));
    Ok(format!("{}/{path}", client.base))
}

#[balanced(retries = 1)]
async fn named(mut key: Client, path: String) -> Result<String, E> {
    key.base = "https://other.example";
    tokio::task::yield_now().await;
    Ok(format!("{}/{path}", key.base))
}

#[balanced]
async fn generic<T: From<Key> + Clone>(#[key] typed: Typed<T>, count: usize) -> Result<Vec<T>, E> {
    Ok(vec![typed.0; count])
}

/// Any number of keys, under any name that is marked.
#[balanced(keys = 3)]
async fn guard(#[key] keys_of_this_call: Lease) -> Result<usize, E> {
    let count = keys_of_this_call.keys().len();
    keys_of_this_call.success();
    Ok(count)
}

/// The lease of a flat is no lease of ours when there is a key.
#[balanced]
fn of_another_kind(key: &Key, lease: flat::Lease) -> Result<u32, E> {
    assert_eq!(egb::key()?, *key);
    Ok(lease.months)
}

#[balanced(retries = 1)]
fn named_lease(lease: egb::Lease) -> Result<(), E> {
    drop(lease);
    Ok(())
}

mod flat {
    #[derive(Clone)]
    pub struct Lease {
        pub months: u32,
    }
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(marked("models").unwrap(), "https://api.example/models");
    assert_eq!(common::block_on(named("models".to_owned())).unwrap(), "https://other.example/models");
    assert_eq!(common::block_on(generic::<Key>(2)).unwrap().len(), 2);
    assert_eq!(common::block_on(guard()).unwrap(), 3);
    assert_eq!(of_another_kind(flat::Lease { months: 12 }).unwrap(), 12);
    named_lease().unwrap();
    assert_eq!(counts(&balancer), (8, 8, 0));
}
