//! `remove`, of keys that were added alone.

use std::fs;

use egb::Balancer;
use egb_tests::Egb;
use serde_json::json;

use super::{ADDED, GIVEN, OTHER, fingerprint, given_and_added, list, one_key, short};

#[test]
fn a_removed_key_is_gone_with_its_text() {
    let egb = one_key();
    egb.run_with(&["add", "-", "--label", "two"], OTHER);
    let balancer = Balancer::builder().db(egb.db()).build().unwrap();
    for _ in 0..2 {
        balancer.lease().unwrap().success();
    }
    drop(balancer);
    assert_eq!(egb.run(&["remove", "one"]).fine(), format!("removed {} (one)\n", short(ADDED)));
    assert_eq!(list(&egb).len(), 1, "it is not shown, though what it did is on record");
    let bytes = fs::read(egb.db()).unwrap();
    assert!(!bytes.windows(ADDED.len()).any(|window| window == ADDED.as_bytes()));
    let json = egb.run(&["remove", &short(OTHER), "--json"]).json();
    assert_eq!(
        json,
        json!({ "removed": [{ "fingerprint": fingerprint(OTHER), "masked": "an-a…-two", "label": "two" }] })
    );
    assert_eq!(egb.run(&["remove", "one"]).code, 1);
    egb.run_with(&["add", "-"], ADDED);
    assert_eq!(list(&egb).len(), 1);
    assert_eq!(list(&egb)[0]["successes"], 1, "it goes on with what it did");
}

#[test]
fn a_key_of_a_file_is_not_removed_and_the_error_says_where_to_do_it() {
    let egb = given_and_added();
    for command in [&["remove", "given"][..], &["weight", "given", "2"]] {
        let printed = egb.run(&[command, &["--keys-file", "keys.txt"]].concat());
        let (code, error) = printed.refused();
        assert_eq!(code, 1);
        let place = format!("error: {} (given) is given by the keys file keys.txt:3\nhint: ", short(GIVEN));
        assert!(error.starts_with(&place) && error.contains("egb disable"), "{error}");
        let name = short(GIVEN);
        let unknown = egb.run(&[&[command[0], &name], &command[2..]].concat());
        assert!(unknown.refused().1.contains("is not in the database itself"), "{}", unknown.err);
    }
    let mut command = egb.command(&["remove", &short(GIVEN)]);
    let variable = Egb::finish(command.env("EGB_KEYS", GIVEN), "");
    assert!(variable.refused().1.contains("is given by the variable EGB_KEYS"), "{}", variable.err);
    // One of several: none is removed.
    assert_eq!(egb.run(&["remove", "one", "given", "--keys-file", "keys.txt"]).code, 1);
    assert_eq!(egb.run(&["list", "--json", "--keys-file", "keys.txt"]).json()["total"], 2);
    assert!(fs::read_to_string(egb.path("keys.txt")).unwrap().contains(GIVEN));
}
