//! Names that are no key's, or those of several; and keys that were typed where something else belongs.

use super::{key, three_keys};

#[test]
fn a_name_that_is_unknown_or_ambiguous_changes_nothing() {
    let egb = three_keys();
    let with = |command: &str, names: &[&str]| egb.run(&[&[command, "--keys-file", "keys.txt"], names].concat());
    for command in ["disable", "enable", "remove", "reset"] {
        let unknown = with(command, &["nobody"]);
        let (code, error) = unknown.refused();
        assert_eq!(code, 1);
        assert_eq!(
            error,
            "error: no key has that name as its label or as the beginning of its fingerprint\n\
             hint: `egb list` shows labels and fingerprints\n"
        );
        let ambiguous = with(command, &["two"]);
        assert!(ambiguous.refused().0 == 1 && ambiguous.err.contains("2 keys have that name as their label: "));
    }
    let second = with("disable", &["one", "nobody"]);
    assert!(second.refused().1.contains("no key has name 2 of 2 "), "{}", second.err);
    assert_eq!(egb.run(&["stats", "--json"]).json()["keys"]["available"], 3, "not even the first was disabled");
    assert_eq!(egb.run(&["disable"]).code, 2);
}

#[test]
fn a_key_that_was_typed_as_a_name_is_not_repeated() {
    let egb = three_keys();
    for arguments in [["disable", &key(0)], ["disable", "AIzaSyFAKE_unknown_0123456789abcdef"], ["list", &key(0)]] {
        let printed = egb.run(&arguments);
        assert!(printed.code > 0 && !printed.err.is_empty(), "{printed:?}");
    }
    assert!(egb.run(&["disable", &key(0)]).err.contains("is a key itself"));
    for arguments in
        [vec![key(0)], vec!["--filter".to_owned(), key(0)], vec!["weight".to_owned(), "one".to_owned(), key(0)]]
    {
        let printed = egb.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(printed.refused().0, 2);
    }
}

#[test]
fn a_key_in_place_of_an_argument_is_not_repeated() {
    let egb = three_keys();
    let typed = "AIzaSyTYPED0123456789abcdef";
    let option = format!("--{typed}");
    let hyphen = format!("-{typed}");
    let limit = format!("--limit={hyphen}");
    for arguments in [
        &["import", typed][..],
        &["list", "--keys-file", typed],
        &["list", "--db", typed],
        &["list", "--key-file", typed],
        &["list", "--passphrase-file", typed],
        &["add", typed],
        &["add", &hyphen],
        &[&option],
        &["list", &option],
        &["list", &limit],
        &["weight", "one", &format!("<{typed}")],
        &["weight", "one", &format!("[{typed}")],
        &[typed],
    ] {
        let printed = egb.run(arguments);
        let (code, error) = printed.refused();
        assert!(code > 0 && !error.contains("TYPED"), "{arguments:?} {error}");
    }
    let named = egb.run(&["import", "a-file-that-is-not-there.txt"]);
    assert!(named.err.contains("a-file-that-is-not-there.txt"), "{named:?}");
    let misspelt = egb.run(&["list", "--no-such-option=1"]);
    assert!(misspelt.err.contains("unexpected argument"), "{misspelt:?}");
}
