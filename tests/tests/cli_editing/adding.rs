//! `add`: keys from stdin, with what is said of them.

use egb::Balancer;
use serde_json::json;

use super::{ADDED, OTHER, egb, fingerprint, list, one_key, short};

#[test]
fn an_added_key_is_in_the_pool_of_programs() {
    let egb = one_key();
    let stats = Balancer::builder().db(egb.db()).build().unwrap().stats();
    assert_eq!((stats.total(), stats.keys[0].limits.rpm.map(std::num::NonZeroU32::get)), (1, Some(5)));
    let row = &list(&egb)[0];
    assert_eq!((&row["label"], &row["source"], &row["origin"]), (&json!("one"), &json!("manual"), &json!("added")));
    assert!(row["added_at"].as_str().unwrap().ends_with('Z'));
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&egb.db().metadata().unwrap().permissions()) & 0o777, 0o600);
}

#[test]
fn adding_a_key_again_changes_what_is_given_and_nothing_else() {
    let egb = one_key();
    let again = egb.run_with(&["add", "-", "--json"], ADDED).json();
    assert_eq!(again["outcome"], "unchanged");
    let heavier = egb.run_with(&["add", "-", "--weight", "2.5", "--json"], &format!("  {ADDED}\n\n")).json();
    assert_eq!(
        heavier,
        json!({ "outcome": "updated", "fingerprint": fingerprint(ADDED), "masked": "an-a…-one", "label": "one", "group": "g", "weight": 2.5 })
    );
    let row = &list(&egb)[0];
    assert_eq!((&row["weight"], &row["label"], &row["limits"]["rpm"]), (&json!(2.5), &json!("one"), &json!(5)));
}

#[test]
fn a_key_is_taken_from_stdin_or_a_prompt_and_never_from_the_command_line() {
    let egb = egb();
    let typed = egb.run(&["add", "an-added-key-in-the-history"]);
    let (code, error) = typed.refused();
    assert_eq!(code, 2);
    assert!(error.contains("a key is not taken from the command line") && error.contains("| egb add -"), "{error}");
    let no_terminal = egb.run(&["add"]);
    assert_eq!(no_terminal.refused().0, 2);
    assert!(no_terminal.err.contains("there is no terminal to ask for the key"), "{}", no_terminal.err);
    assert_eq!(egb.run_with(&["add", "-"], " \n ").code, 1);
    let two = egb.run_with(&["add", "-"], &format!("{ADDED}\n{OTHER}\n"));
    assert!(two.code == 1 && two.err.contains("`egb import -`"), "{two:?}");
    let inner = egb.run_with(&["add", "-"], "an-added-key with a space");
    assert!(inner.code == 1 && inner.err.contains("holds white space"), "{inner:?}");
    for bad in [["--weight", "0"], ["--weight", "-1"], ["--weight", "inf"], ["--rpm", "0"], ["--label", " "]] {
        assert_eq!(egb.run_with(&[&["add", "-"], &bad[..]].concat(), ADDED).code, 2, "{bad:?}");
    }
    let repeated = egb.run_with(&["add", "-", "--label", &format!("x-{ADDED}")], ADDED);
    assert!(repeated.code == 2 && repeated.err.contains("repeats the key"), "{repeated:?}");
    assert!(!egb.db().exists(), "no database was made for any of this");
}

#[test]
fn a_key_that_a_file_gives_as_well_is_pointed_out() {
    let egb = one_key();
    egb.write("keys.txt", &format!("{OTHER}:4\n"));
    let added = egb.run_with(&["add", "-", "--keys-file", "keys.txt"], OTHER);
    assert_eq!(added.err, "note: keys.txt gives it too, and its settings prevail there\n");
    let json = egb.run(&["list", "--json", "--keys-file", "keys.txt"]).json();
    let sources: Vec<_> = json["keys"].as_array().unwrap().iter().map(|key| (&key["source"], &key["weight"])).collect();
    assert_eq!(sources, [(&json!("keys.txt"), &json!(4.0)), (&json!("manual"), &json!(1.0))]);
}

#[cfg(unix)]
#[test]
fn keys_are_not_put_into_a_file_that_others_read() {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    let egb = egb();
    egb.write("keys.db", "");
    fs::set_permissions(egb.db(), fs::Permissions::from_mode(0o644)).unwrap();
    let added = egb.run_with(&["add", "-"], ADDED);
    assert_eq!(added.code, 0, "{added:?}");
    assert!(!added.err.contains("others"), "{added:?}");
    assert_eq!(egb.db().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(egb.db(), fs::Permissions::from_mode(0o640)).unwrap();
    let other = egb.run_with(&["add", "-"], OTHER);
    assert_eq!(other.err.matches("others may read").count(), 1, "{other:?}");
    assert_eq!(egb.run(&["disable", &short(ADDED)]).err.matches("others may read").count(), 1);
    assert_eq!(egb.db().metadata().unwrap().permissions().mode() & 0o777, 0o640, "what somebody chose stays");
}

#[test]
fn unknown_options_of_add_are_told_as_such() {
    let egb = egb();
    let printed = egb.run(&["add", "--wieght=2"]);
    let (code, error) = printed.refused();
    assert!(code == 2 && error.contains("unexpected argument"), "{error}");
    assert!(egb.run_with(&["add", "-"], ADDED).code == 0, "a hyphen is stdin still");
}

#[test]
fn a_removed_key_that_was_disabled_is_said_to_be_enabled_when_it_is_added_again() {
    let egb = one_key();
    egb.run(&["disable", "one"]).fine();
    egb.run(&["remove", "one"]).fine();
    let added = egb.run_with(&["add", "-"], ADDED);
    assert!(added.err.contains("enabled again"), "{added:?}");
    assert_eq!(list(&egb)[0]["state"], "available");
}
