//! `cleanup`: what it removes and forgets, and what not.

use egb::{Balancer, KeyState};
use serde_json::{Value, json};

use super::{ADDED, GIVEN, OTHER, egb, fingerprint, given_and_added, list, short};

#[test]
fn cleanup_says_what_it_would_do_and_then_does_it() {
    let egb = given_and_added();
    egb.run_with(&["add", "-", "--label", "two"], OTHER);
    egb.run(&["remove", "two"]).fine();
    let nothing = egb.run(&["cleanup", "--unused", "30d"]);
    assert_eq!(nothing.fine(), "no key was left unused for 30d\n");
    let dry = egb.run(&["cleanup", "--unused", "0s", "--keys-file", "keys.txt"]);
    assert_eq!(
        dry.steady(),
        format!(
            "ACTION     KEY       NAME   SOURCE      LAST USED
edit file  {}  given  keys.txt:3  never
remove     {}  one    manual      never

to be done: remove 1, forget 0; add --yes to do it
",
            short(GIVEN),
            short(ADDED)
        )
    );
    let without = egb.run(&["cleanup", "--unused", "0s", "--json"]).json();
    let action = |key: &Value| key["action"].clone();
    assert_eq!(without["keys"].as_array().unwrap().iter().map(action).collect::<Vec<_>>(), ["leave", "remove"]);
    assert_eq!((&without["done"], &without["removed"]), (&json!(false), &json!(1)));
    assert_eq!(list(&egb).len(), 2);
    let done = egb.run(&["cleanup", "--unused", "0s", "--yes", "--json"]).json();
    assert_eq!((&done["done"], &done["removed"]), (&json!(true), &json!(1)));
    assert_eq!(list(&egb).len(), 1);
}

#[test]
fn cleanup_forgets_keys_that_no_source_gives_any_more() {
    let egb = given_and_added();
    egb.write("keys.txt", "AIzaSyFAKE_another_0123456789abcdef\n");
    let dry = egb.run(&["cleanup", "--unused", "0s", "--keys-file", "keys.txt", "--json"]).json();
    let forgotten: Vec<_> = dry["keys"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["action"] == "forget")
        .map(|key| key["fingerprint"].clone())
        .collect();
    assert_eq!(forgotten, [fingerprint(GIVEN)]);
    egb.run(&["cleanup", "--unused", "0s", "--keys-file", "keys.txt", "--yes"]).fine();
    let stats = Balancer::builder().key(GIVEN).db(egb.db()).build().unwrap().stats();
    assert_eq!(stats.keys[0].state, KeyState::Available, "its 401 is forgotten");
}

#[test]
fn cleanup_forgets_no_disablement_and_no_removal_of_a_moment_ago() {
    let egb = egb();
    let balancer = Balancer::builder().key(GIVEN).db(egb.db()).build().unwrap();
    balancer.disable(&GIVEN.into()).unwrap();
    balancer.add(ADDED).unwrap();
    balancer.disable(&ADDED.into()).unwrap();
    balancer.remove(&ADDED.into()).unwrap();
    drop(balancer);
    egb.write("keys.txt", "AIzaSyFAKE_another_0123456789abcdef\n");
    let cleanup = |span| egb.run(&["cleanup", "--unused", span, "--keys-file", "keys.txt", "--yes", "--json"]).json();
    assert_eq!(cleanup("30d")["forgotten"], 0, "they were never used, and changed a moment ago");
    let stats = Balancer::builder().key(GIVEN).db(egb.db()).build().unwrap().stats();
    assert_eq!(stats.keys[0].state, KeyState::Disabled);
    assert_eq!(cleanup("0s")["forgotten"], 2);
}
