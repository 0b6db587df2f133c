//! What tells scopes and sessions, in whatever form it is at hand.

#![deny(warnings)]

#[path = "../../common.rs"]
mod common;

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use common::{E, pool};
use egb::{Balancer, Key, balanced};

const MODEL: &str = "flash";

#[balanced(scope = "flash", affinity = session)]
async fn literal(key: Key, session: u64) -> Result<Key, E> {
    Ok(key)
}

#[balanced(scope = MODEL, affinity = (session, "tenant"))]
fn constant(key: Key, session: &str) -> Result<Key, E> {
    Ok(key)
}

#[balanced(scope = model, affinity = session)]
fn owned(key: Key, model: String, session: [u8; 16]) -> Result<Key, E> {
    drop((model, session));
    Ok(key)
}

#[balanced(scope = model, affinity = *session)]
fn optional(key: Key, model: Option<&str>, session: &Option<String>) -> Result<Key, E> {
    Ok(key)
}

#[balanced(scope = model, affinity = session.as_bytes())]
fn pointers(key: Key, model: Arc<str>, session: Rc<String>) -> Result<Key, E> {
    Ok(key)
}

#[balanced(scope = model, affinity = session)]
fn borrowed(key: Key, model: &Cow<'_, str>, session: &mut i32) -> Result<Key, E> {
    *session += 1;
    Ok(key)
}

struct Request<'a> {
    model: &'a str,
    session: u32,
}

/// Retries take the pattern apart anew; the options have a look before.
#[deny(unused_variables)]
#[balanced(scope = model, affinity = session, retries = 1)]
async fn patterns(key: Key, Request { model, session }: Request<'_>) -> Result<Key, E> {
    Ok(key)
}

impl Clone for Request<'_> {
    fn clone(&self) -> Self {
        Request { ..*self }
    }
}

struct Client<M> {
    pool: Balancer,
    model: M,
}

impl<M: AsRef<str>> Client<M> {
    #[balanced(balancer = self.pool, scope = self.model.as_ref(), affinity = self.session())]
    async fn generic(&self, key: Key) -> Result<Key, E> {
        Ok(key)
    }

    fn session(&self) -> u128 {
        7
    }
}

fn same(call: impl Fn() -> Result<Key, E>) {
    let keys: Vec<Key> = (0..4).map(|_| call().unwrap()).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "the session sticks to its key");
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    same(|| common::block_on(literal(7)));
    same(|| constant("anna"));
    same(|| owned("pro".to_owned(), [7; 16]));
    same(|| optional(Some("pro"), &Some("anna".to_owned())));
    same(|| pointers("pro".into(), Rc::new("anna".to_owned())));
    same(|| borrowed(&"pro".into(), &mut 7));
    same(|| common::block_on(patterns(Request { model: "pro", session: 7 })));
    let turns: Vec<Key> = (0..3).map(|_| optional(None, &None).unwrap()).collect();
    assert!(turns[0] != turns[1] && turns[1] != turns[2], "no session, so they take turns");
    let client = Client { pool: pool(), model: "pro".to_owned() };
    same(|| common::block_on(client.generic()));
}
