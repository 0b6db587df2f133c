//! The commands of `egb` that change a pool: what they print, and what is so afterwards.

use std::fs;

use egb::{Balancer, KeyConfig, KeyState};
use egb_tests::Egb;
use serde_json::{Value, json};

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
fn an_import_tells_what_is_new_and_is_in_the_history() {
    let egb = one_key();
    egb.write("more.txt", &format!("# two keys\n{ADDED}:3\n{OTHER} label=two\n"));
    assert_eq!(egb.run(&["import", "more.txt"]).fine(), "imported more.txt: 1 new, 1 updated, 0 skipped\n");
    let again = egb.run(&["import", "more.txt", "--source", "again", "--json"]).json();
    assert_eq!(
        again,
        json!({ "file": "more.txt", "source": "again", "entries": 2, "new": 0, "updated": 0, "skipped": 2 })
    );
    let piped = egb.run_with(&["import", "-"], &format!("{OTHER}:0.5 label=two"));
    assert_eq!(piped.fine(), "imported stdin: 0 new, 1 updated, 0 skipped\n");
    assert_eq!(
        egb.run(&["history"]).steady(),
        "WHEN    FILE      SOURCE    KEYS  NEW  UPDATED  SKIPPED
NOW  stdin     stdin        1    0        1        0
NOW  more.txt  again        2    0        0        2
NOW  more.txt  more.txt     2    1        1        0
"
    );
    let history = egb.run(&["history", "--json", "--limit", "1"]).json();
    assert_eq!(history["imports"][0]["file"], "stdin");
    assert_eq!(history["imports"].as_array().unwrap().len(), 1);
    let sources: Vec<_> = list(&egb).iter().map(|key| key["source"].clone()).collect();
    assert_eq!(sources, ["more.txt", "stdin"]);
}

#[test]
fn a_file_with_a_bad_line_imports_nothing() {
    let egb = one_key();
    egb.write("bad.txt", &format!("{OTHER}\nan-added-key-bad:heavy\n"));
    let printed = egb.run(&["import", "bad.txt"]);
    let (code, error) = printed.refused();
    assert_eq!(code, 1);
    assert!(error.contains("bad.txt holds bad entries; no key was loaded\n  line 2 "), "{error}");
    assert_eq!(egb.run(&["import", "missing.txt"]).refused().0, 1);
    egb.write("empty.txt", "# nothing\n");
    assert!(egb.run(&["import", "empty.txt"]).refused().1.contains("holds no key"));
    assert_eq!(list(&egb).len(), 1);
    assert_eq!(egb.run(&["history", "--json"]).json(), json!({ "imports": [] }));
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
fn keys_are_disabled_and_enabled_by_any_name() {
    let egb = one_key();
    assert_eq!(egb.run(&["disable", "one"]).fine(), format!("disabled {} (one)\n", short(ADDED)));
    assert_eq!(egb.run(&["disable", &short(ADDED)]).fine(), format!("was disabled already: {} (one)\n", short(ADDED)));
    assert_eq!(egb.run(&["stats"]).code, 3);
    let json = egb.run(&["enable", &fingerprint(ADDED), "one", "--json"]).json();
    assert_eq!((json["enabled"].as_array().unwrap().len(), &json["unchanged"]), (1, &json!([])));
    assert_eq!(egb.run(&["enable", "one"]).fine(), format!("was enabled already: {} (one)\n", short(ADDED)));
    assert_eq!(list(&egb)[0]["state"], "available");
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
fn a_key_of_a_file_is_enabled_without_the_file() {
    let egb = given_and_added();
    egb.run(&["enable", &short(GIVEN)]).fine();
    let stats = Balancer::builder().key(GIVEN).db(egb.db()).build().unwrap().stats();
    assert_eq!(stats.keys[0].state, KeyState::Available);
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

#[test]
fn weights_of_added_keys_are_changed() {
    let egb = one_key();
    assert_eq!(
        egb.run(&["weight", "one", "2.5"]).fine(),
        format!("{} (one) has weight 2.5 now; it was 1\n", short(ADDED))
    );
    let json = egb.run(&["weight", "one", "4", "--json"]).json();
    assert_eq!(json, json!({ "fingerprint": fingerprint(ADDED), "label": "one", "weight": 4.0, "was": 2.5 }));
    assert_eq!(list(&egb)[0]["limits"]["rpm"], 5, "all else is as it was");
    for bad in ["0", "-1", "many", "nan"] {
        assert_eq!(egb.run(&["weight", "one", "--", bad]).code, 2, "{bad}");
    }
}

#[test]
fn a_reset_is_asked_about_unless_keys_are_named() {
    let egb = given_and_added();
    let printed = egb.run(&["reset"]);
    let (code, error) = printed.refused();
    assert_eq!(code, 2);
    assert!(error.contains("--yes resets all keys"), "{error}");
    egb.run(&["disable", "one"]).fine();
    assert_eq!(egb.run(&["reset", "one"]).fine(), format!("reset {} (one)\n", short(ADDED)));
    let states = |egb: &Egb| -> Vec<Value> { list(egb).iter().map(|key| key["state"].clone()).collect() };
    let mut expected = states(&egb);
    expected.sort_by_key(Value::to_string);
    assert_eq!(expected, ["available", "disabled"]);
    assert_eq!(egb.run(&["reset", "--yes"]).fine(), "reset all 2 keys\n");
    assert_eq!(states(&egb), ["available", "available"]);
    assert_eq!(egb.run(&["reset", "--yes", "--json"]).json(), json!({ "total": 2, "keys": [] }));
}

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

#[cfg(unix)]
#[test]
fn keys_are_not_put_into_a_file_that_others_read() {
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
fn a_source_is_checked_as_labels_are() {
    let egb = egb();
    egb.write("keys.txt", ADDED);
    for bad in [ADDED, " ", "two\nlines", "red \u{1b}[31m"] {
        for command in [&["add", "-", "--source", bad][..], &["import", "keys.txt", "--source", bad]] {
            let printed = egb.run_with(command, ADDED);
            let (code, error) = printed.refused();
            assert_eq!(code, 2, "{bad:?} {error}");
            assert!(error.contains("the source "), "{error}");
        }
    }
    assert!(!egb.db().exists());
}

#[cfg(unix)]
#[test]
fn control_characters_of_a_files_name_do_not_reach_the_terminal() {
    let egb = egb();
    egb.write("odd\u{1b}[31m.txt", ADDED);
    let imported = egb.run(&["import", "odd\u{1b}[31m.txt"]);
    assert!(imported.code == 0 && imported.out.contains("odd\\u{1b}[31m.txt"), "{imported:?}");
    assert!(!egb.run(&["history"]).out.contains('\u{1b}'));
    let missing = egb.run(&["import", "none\u{1b}[31m.txt"]);
    assert!(!missing.err.contains('\u{1b}'), "{missing:?}");
    fs::rename(egb.db(), egb.path("odd\u{1b}[31m.db")).unwrap();
    let stats = egb.run(&["stats", "-vvv", "--db", "odd\u{1b}[31m.db"]);
    assert!(!stats.out.contains('\u{1b}') && !stats.err.contains('\u{1b}'), "{stats:?}");
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
fn small_weights_are_shown_and_senseless_ones_refused() {
    let egb = one_key();
    let small = egb.run(&["weight", "one", "0.001"]);
    assert!(small.fine().ends_with("has weight 0.001 now; it was 1\n"), "{small:?}");
    assert!(egb.run(&["list"]).fine().contains(" 0.001 "));
    for bad in ["1e308", "1000000001", "0.0000001"] {
        let refused = egb.run(&["weight", "one", bad]);
        assert_eq!(refused.code, 2, "{bad}");
        assert!(refused.err.contains("from 0.000001 to 1000000000"), "{refused:?}");
    }
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

#[test]
fn more_is_told_of_where_the_pool_is() {
    let egb = given_and_added();
    let told = egb.run(&["list", "-v", "--keys-file", "keys.txt"]);
    assert_eq!(told.err, "info: database keys.db\ninfo: keys file keys.txt\n");
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
