//! Sealed keys, and `db --seal`.

use egb::Balancer;
use serde_json::json;

use super::{ADDED, OTHER, egb, list, one_key};

#[test]
fn sealed_keys_are_worked_with_and_added_with_the_passphrase() {
    let egb = egb();
    egb.write("passphrase.txt", "correct horse\n");
    egb.run_with(&["add", "-", "--label", "one", "--passphrase-file", "passphrase.txt"], ADDED);
    assert_eq!(egb.run(&["db", "--json"]).json()["sealed"], true);
    let row = &list(&egb)[0];
    assert_eq!((&row["label"], &row["masked"]), (&json!("one"), &json!("…")), "without the passphrase");
    egb.run(&["disable", "one"]).fine();
    egb.run(&["weight", "one", "3"]).fine();
    egb.run(&["enable", "one"]).fine();
    let printed = egb.run_with(&["add", "-"], OTHER);
    let (code, error) = printed.refused();
    assert!(code == 1 && error.contains("--passphrase-file"), "{error}");
    egb.write("wrong.txt", "battery staple");
    assert_eq!(egb.run(&["list", "--passphrase-file", "wrong.txt"]).code, 1);
    let with = egb.run(&["list", "--json", "--passphrase-file", "passphrase.txt"]).json();
    assert_eq!((&with["keys"][0]["masked"], &with["keys"][0]["weight"]), (&json!("an-a…-one"), &json!(3.0)));
    egb.run(&["remove", "one"]).fine();
}

#[test]
fn a_database_in_the_clear_is_sealed_on_request_alone() {
    let egb = one_key();
    egb.write("passphrase.txt", "correct horse\n");
    let with = ["--passphrase-file", "passphrase.txt"];
    let is_sealed = || egb.run(&["db", "--json"]).json()["sealed"].clone();
    for command in [
        &["disable", "one"][..],
        &["enable", "one"],
        &["weight", "one", "2"],
        &["reset", "--yes"],
        &["db", "--vacuum"],
        &["monitor", "--count", "1"],
        &["remove", "one"],
    ] {
        let printed = egb.run(&[command, &with].concat());
        assert_eq!(printed.code, 0, "{printed:?}");
        assert_eq!(is_sealed(), false, "{command:?}");
        let is_told = printed.err.contains("in the clear, and stay so; `egb db --seal`");
        assert_eq!(is_told, command[0] != "monitor", "{printed:?}");
    }
    let added = egb.run_with(&[&["add", "-", "--label", "one"], &with[..]].concat(), ADDED);
    assert!(added.err.contains("in the clear"), "{added:?}");
    assert_eq!(is_sealed(), false);
    Balancer::builder().db(egb.db()).build().unwrap();

    assert_eq!(egb.run(&["db", "--seal"]).refused().0, 2, "with what?");
    let sealed = egb.run(&[&["db", "--seal"], &with[..]].concat());
    assert_eq!((sealed.code, &*sealed.out), (0, "sealed the keys in keys.db: 1\n"));
    assert!(sealed.err.contains("need the passphrase or the key file from now on"), "{sealed:?}");
    assert_eq!(is_sealed(), true);
    assert!(Balancer::builder().db(egb.db()).build().is_err(), "a program needs it now");
    let again = egb.run(&[&["db", "--seal", "--json"], &with[..]].concat()).json();
    assert_eq!(again, json!({ "path": "keys.db", "added_keys": 1, "was_sealed": true }));
    egb.write("wrong.txt", "battery staple");
    assert_eq!(egb.run(&["db", "--seal", "--passphrase-file", "wrong.txt"]).refused().0, 1);
    egb.run(&[&["disable", "one"], &with[..]].concat()).fine();
}
