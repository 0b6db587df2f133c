//! The commands of `egb` that change a pool: what they print, and what is so afterwards.

use egb::{Balancer, KeyConfig};
use egb_tests::Egb;
use serde_json::Value;

mod adding;
mod changing;
mod cleanup;
mod importing;
mod removing;
mod sealing;

fn egb() -> Egb {
    Egb::new(env!("CARGO_BIN_EXE_egb_command"))
}

const ADDED: &str = "an-added-key-0123456789-one";
const OTHER: &str = "an-added-key-0123456789-two";
const GIVEN: &str = "AIzaSyFAKE_editing_0123456789abcdef";

/// The fingerprint of a key.
fn fingerprint(key: &str) -> String {
    egb::Key::from(key).fingerprint().to_string()
}

fn short(key: &str) -> String {
    fingerprint(key)[..8].to_owned()
}

/// A pool of one added key, labelled `one`.
fn one_key() -> Egb {
    let egb = egb();
    let added = egb.run_with(&["add", "-", "--label", "one", "--group", "g", "--rpm", "5"], ADDED);
    assert_eq!(added.out, format!("added {} (one)\n", short(ADDED)));
    assert_eq!(added.err, "note: made the database keys.db\n");
    egb
}

/// The rows of `egb list --json`.
fn list(egb: &Egb) -> Vec<Value> {
    egb.run(&["list", "--json"]).json()["keys"].as_array().unwrap().clone()
}

/// A pool of a key in a file that was disabled by a 401, and one added.
fn given_and_added() -> Egb {
    let egb = one_key();
    egb.write("keys.txt", &format!("# a comment\n\n{GIVEN} label=given\n"));
    let config = KeyConfig::new(GIVEN).label("given");
    let balancer = Balancer::builder().key(config).db(egb.db()).build().unwrap();
    balancer.report(&GIVEN.into(), 401);
    egb
}

#[test]
fn more_is_told_of_where_the_pool_is() {
    let egb = given_and_added();
    let told = egb.run(&["list", "-v", "--keys-file", "keys.txt"]);
    assert_eq!(told.err, "info: database keys.db\ninfo: keys file keys.txt\n");
}
