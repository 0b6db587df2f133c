//! `import` and `history`: keys from files, and where they are said to come from.

use serde_json::json;

use super::{ADDED, OTHER, egb, list, one_key};

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
    std::fs::rename(egb.db(), egb.path("odd\u{1b}[31m.db")).unwrap();
    let stats = egb.run(&["stats", "-vvv", "--db", "odd\u{1b}[31m.db"]);
    assert!(!stats.out.contains('\u{1b}') && !stats.err.contains('\u{1b}'), "{stats:?}");
}
