//! Options read the arguments, whatever form these have.

#[path = "../../common.rs"]
mod common;

use common::{E, counts, pool};
use egb::{Balancer, Key, balanced};

struct Client {
    pool: Balancer,
    name: String,
}

/// A pattern stays in the signature, and the option reads what it binds.
#[balanced(balancer = pool)]
fn of_a_pattern(key: Key, Client { pool, name }: &Client) -> Result<usize, E> {
    drop(key);
    Ok(name.len())
}

/// Retries take the pattern apart anew for each attempt; the option has a look before.
#[deny(warnings)]
#[balanced(balancer = pool, retries = 1)]
fn of_a_repeated_pattern(
    key: Key,
    Client { pool: _, name }: &Client,
    Pair { pool, count }: Pair<'_>,
) -> Result<usize, E> {
    drop((key, pool));
    if name.is_empty() { Err(E::Status(503)) } else { Ok(name.len() + count) }
}

#[derive(Clone)]
struct Pair<'a> {
    pool: &'a Balancer,
    count: usize,
}

/// Only the option reads `pool`, and that is no reason to warn.
#[deny(unused_variables)]
#[balanced(balancer = pool, retries = attempts - 1)]
fn only_in_options(key: Key, pool: &Balancer, attempts: u32, text: String) -> Result<usize, E> {
    drop(key);
    if text.is_empty() { Err(E::Status(503)) } else { Ok(text.len()) }
}

fn main() {
    let client = Client { pool: pool(), name: "four".to_owned() };
    assert_eq!(of_a_pattern(&client).unwrap(), 4);
    assert_eq!(only_in_options(&client.pool, 1, "four".to_owned()).unwrap(), 4);
    assert_eq!(of_a_repeated_pattern(&client, Pair { pool: &client.pool, count: 1 }).unwrap(), 5);
    assert_eq!(counts(&client.pool), (3, 3, 0));
    only_in_options(&client.pool, 2, String::new()).unwrap_err();
    assert_eq!(counts(&client.pool), (5, 3, 2));
}
