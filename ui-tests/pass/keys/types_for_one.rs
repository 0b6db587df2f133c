#[path = "../../common.rs"]
mod common;

use common::{E, counts};
use egb::{Balancer, Key, balanced};

#[balanced]
fn owned(key: Key) -> Result<String, E> {
    Ok(key.expose_secret().to_owned())
}

#[balanced]
fn borrowed(key: &Key) -> Result<String, E> {
    Ok(key.expose_secret().to_owned())
}

#[balanced]
fn text(key: &str) -> Result<String, E> {
    Ok(key.to_owned())
}

#[balanced]
fn string(key: String) -> Result<String, E> {
    Ok(key)
}

#[balanced]
fn full_path(key: &::egb::Key) -> Result<String, E> {
    Ok(key.expose_secret().to_owned())
}

#[balanced]
fn raw(r#key: &Key) -> Result<String, E> {
    Ok(r#key.expose_secret().to_owned())
}

#[balanced]
fn raw_lease(r#lease: egb::Lease) -> Result<String, E> {
    Ok(r#lease.key().expose_secret().to_owned())
}

#[balanced(keys = 1)]
fn unused(_key: Key) -> Result<String, E> {
    Ok(String::new())
}

fn main() {
    let balancer = Balancer::builder().key("the-only-key").in_memory().build().unwrap();
    let _entered = balancer.enter();
    for call in [owned, borrowed, text, string, full_path, raw, raw_lease] {
        assert_eq!(call().unwrap(), "the-only-key");
    }
    unused().unwrap();
    assert_eq!(counts(&balancer), (8, 8, 0));
}
