//! The database: where it is found, one that is missing, broken, older or the Python tool's, what opens it, and its copies.

use std::fs;
use std::process::Stdio;

use egb_tests::Egb;
use serde_json::{Value, json};

use super::{egb, three_keys};

/// The version of the database's schema.
const SCHEMA: i64 = 6;

const COMMANDS: [&[&str]; 14] = [
    &["stats"],
    &["health"],
    &["list"],
    &["history"],
    &["export"],
    &["db"],
    &["db", "--vacuum"],
    &["db", "--backup", "copy.db"],
    &["enable", "one"],
    &["disable", "one"],
    &["remove", "one"],
    &["weight", "one", "2"],
    &["reset", "--yes"],
    &["cleanup", "--unused", "1d"],
];

#[test]
fn a_missing_database_is_an_error_that_says_what_to_do() {
    let egb = egb();
    for command in COMMANDS {
        let printed = egb.run(command);
        let (code, error) = printed.refused();
        assert_eq!(code, 1, "{command:?}");
        assert!(
            error.starts_with("error: keys.db: there is no database\nhint: name it with --db or EGB_DB"),
            "{error}"
        );
    }
    assert!(!egb.db().exists() && !egb.path("copy.db").exists());
    fs::write(egb.db(), "").unwrap();
    assert!(egb.run(&["stats"]).refused().1.contains("there is no database"), "an empty file is none");
}

#[test]
fn a_broken_database_is_an_error_and_stays_as_it_is() {
    let egb = egb();
    let garbage = "no database at all, and long enough to be taken for one. ".repeat(100);
    fs::write(egb.db(), &garbage).unwrap();
    for command in COMMANDS.into_iter().chain([&["db", "--upgrade"][..]]) {
        let printed = egb.run(command);
        let (code, error) = printed.refused();
        assert_eq!(code, 1, "{command:?}");
        assert!(error.contains("keys.db: not a usable SQLite database") && error.contains("backup"), "{error}");
    }
    assert_eq!(egb.run_with(&["add", "-"], "an-added-key-0123456789").code, 1);
    assert_eq!(fs::read_to_string(egb.db()).unwrap(), garbage);
}

#[test]
fn damage_inside_a_database_is_found() {
    let egb = egb();
    let keys: Vec<String> = (0..2_000).map(|n| format!("an-added-key-{n:04}-0123456789")).collect();
    egb.write("many.txt", &keys.join("\n"));
    egb.run(&["import", "many.txt"]);
    assert!(egb.run(&["db"]).fine().contains("integrity  intact\n"));
    let mut bytes = fs::read(egb.db()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0xAB);
    fs::write(egb.db(), bytes).unwrap();
    let printed = egb.run(&["db", "--json"]);
    assert_eq!((printed.code, &*printed.err), (1, ""));
    let found: Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!((&found["path"], &found["intact"]), (&json!("keys.db"), &json!(false)));
    assert!(!found["damage"].as_array().unwrap().is_empty(), "{found}");
    let text = egb.run(&["db"]);
    assert!(text.code == 1 && text.out.contains("\nintegrity  damaged: "), "{text:?}");
    let backup = egb.run(&["db", "--backup", "copy.db"]);
    assert!(backup.refused().1.starts_with("error: keys.db: "), "{backup:?}");
    let stats = egb.run(&["stats"]);
    assert!(stats.code == 1 && stats.err.contains("not a usable SQLite database"), "{stats:?}");
}

#[test]
fn an_older_database_is_left_alone_until_it_is_upgraded() {
    let egb = three_keys();
    let raw = rusqlite::Connection::open(egb.db()).unwrap();
    raw.execute_batch(
        "DROP TABLE imports; DROP TABLE removed_keys; ALTER TABLE added_keys DROP COLUMN source;
         ALTER TABLE usage DROP COLUMN tokens; PRAGMA user_version = 4",
    )
    .unwrap();
    drop(raw);
    let before = fs::read(egb.db()).unwrap();
    for command in COMMANDS {
        let printed = egb.run(command);
        let (code, error) = printed.refused();
        assert_eq!(code, 1, "{command:?}");
        assert!(
            error.contains(&format!(
                "schema version 4, and this egb reads and writes {SCHEMA}\nhint: `egb db --upgrade`"
            )),
            "{error}"
        );
    }
    assert!(fs::read(egb.db()).unwrap() == before);
    let upgraded = egb.run(&["db", "--upgrade"]);
    assert_eq!(
        upgraded.fine(),
        format!("brought keys.db from schema version 4 to {SCHEMA}; as it was: keys.db.v4-backup\n")
    );
    assert_eq!(egb.run(&["stats", "--json"]).json()["calls"], 3);
    assert_eq!(egb.run(&["db", "--upgrade"]).fine(), format!("keys.db has schema version {SCHEMA} already\n"));
    let copy = rusqlite::Connection::open(egb.path("keys.db.v4-backup")).unwrap();
    assert_eq!(copy.query_row("SELECT sum(begun) FROM keys", [], |row| row.get::<_, i64>(0)).unwrap(), 3);
}

#[test]
fn a_database_of_the_python_tool_is_taken_over_on_request() {
    let egb = egb();
    let seed = concat!(env!("CARGO_MANIFEST_DIR"), "/data/seed_keys.db");
    fs::write(egb.db(), fs::read(seed).unwrap()).unwrap();
    #[cfg(unix)]
    fs::set_permissions(egb.db(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let printed = egb.run(&["list"]);
    let (code, error) = printed.refused();
    assert_eq!(code, 1);
    assert!(error.contains("Python tool easy-gemini-balance\nhint: `egb db --upgrade`"), "{error}");
    let upgraded = egb.run(&["db", "--upgrade"]);
    assert_eq!(upgraded.out, format!("took over keys.db, which has schema version {SCHEMA} now\n"));
    assert!(upgraded.err.contains("keys.db.python-backup"), "{}", upgraded.err);
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&egb.db().metadata().unwrap().permissions()) & 0o777, 0o600);
    let stats = egb.run(&["stats", "--json"]).json();
    assert!(stats["keys"]["total"].as_u64().unwrap() > 0 && stats["failures"].as_u64().unwrap() > 0, "{stats}");
}

#[test]
fn the_copy_of_the_database_of_the_python_tool_is_named() {
    let egb = egb();
    let seed = concat!(env!("CARGO_MANIFEST_DIR"), "/data/seed_keys.db");
    fs::write(egb.db(), fs::read(seed).unwrap()).unwrap();
    let upgraded = egb.run(&["db", "--upgrade", "--json"]).json();
    assert_eq!(
        upgraded,
        json!({ "path": "keys.db", "from_version": null, "schema_version": SCHEMA, "backup": "keys.db.python-backup" })
    );
    assert!(egb.path("keys.db.python-backup").is_file());
    assert_eq!(egb.run(&["db", "--upgrade", "--json"]).json()["backup"], Value::Null);
}

#[test]
fn of_two_seals_the_one_that_was_typed_stands() {
    let egb = egb();
    egb.write("passphrase.txt", "correct horse\n");
    let add = ["add", "-", "--passphrase-file", "passphrase.txt"];
    assert_eq!(egb.run_with(&add, "an-added-key-0123456789").code, 0);
    let list = |variables: &[(&str, &str)], options: &[&str]| {
        let mut command = egb.command(&[&["list", "--json"], options].concat());
        Egb::finish(command.envs(variables.iter().copied()), "")
    };
    let typed = ["--passphrase-file", "passphrase.txt"];
    for key_file in ["", "none.key"] {
        let printed = list(&[("EGB_KEY_FILE", key_file)], &typed);
        assert_eq!(printed.json()["keys"][0]["masked"], "an-a…6789", "{key_file:?}");
    }
    let both = [("EGB_KEY_FILE", "none.key"), ("EGB_PASSPHRASE_FILE", "passphrase.txt")];
    assert_eq!(list(&both, &[]).refused().0, 2);
    assert_eq!(list(&both, &typed).code, 0);
    assert_eq!(list(&[], &[&typed[..], &["--key-file", "none.key"]].concat()).refused().0, 2);
}

#[cfg(unix)]
#[test]
fn a_database_that_may_not_be_read_is_said_to_be_just_that() {
    use std::os::unix::fs::PermissionsExt as _;

    let egb = three_keys();
    fs::set_permissions(egb.db(), fs::Permissions::from_mode(0o0)).unwrap();
    if fs::File::open(egb.db()).is_ok() {
        return; // The superuser may.
    }
    let printed = egb.run(&["stats"]);
    let (code, error) = printed.refused();
    assert!(code == 1 && error.contains("ermission denied") && !error.contains("file:"), "{error}");
}

#[test]
fn a_backup_is_a_database_for_its_owner_and_overwrites_nothing() {
    let egb = three_keys();
    assert!(egb.run(&["db", "--backup", "copy.db"]).fine().starts_with("wrote copy.db, "));
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&egb.path("copy.db").metadata().unwrap().permissions()) & 0o777,
        0o600
    );
    assert_eq!(egb.run(&["--db", "copy.db", "stats", "--json"]).json()["calls"], 3);
    let again = egb.run(&["db", "--backup", "copy.db", "--json"]);
    assert!(again.refused().0 == 1 && again.err.contains("copy.db: there is a file of that name"), "{}", again.err);
    let json = egb.run(&["db", "--backup", "second.db", "--json"]).json();
    assert_eq!(json["backup"], "second.db");
    let vacuum = egb.run(&["db", "--vacuum", "--json"]).json();
    assert_eq!(vacuum["path"], "keys.db");
    assert_eq!(egb.run(&["db", "--vacuum", "--upgrade"]).code, 2, "one at a time");
}

#[test]
fn the_file_is_told_about() {
    let egb = three_keys();
    let printed = egb.run(&["db"]);
    assert_eq!(
        printed.steady(),
        format!(
            "path       keys.db
size       SIZE
schema     version {SCHEMA}
keys       3 with a state
added      none
integrity  intact
"
        )
    );
    let json = egb.run(&["db", "--json"]).json();
    assert_eq!((&json["schema_version"], &json["intact"], &json["damage"]), (&json!(SCHEMA), &json!(true), &json!([])));
}

#[test]
fn the_database_is_found_where_it_is_kept_unless_it_is_named() {
    let egb = egb();
    let at_home = |arguments: &[&str], stdin: &str| {
        let mut command = egb.command(arguments);
        command.env_remove("EGB_DB").env("XDG_DATA_HOME", egb.path("data")).stdin(Stdio::piped());
        Egb::finish(&mut command, stdin)
    };
    assert!(at_home(&["stats"], "").err.contains("data/egb/keys.db: there is no database"));
    assert_eq!(at_home(&["add", "-"], "an-added-key-at-home-0123").code, 0);
    assert!(egb.path("data/egb/keys.db").exists());
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&egb.path("data/egb").metadata().unwrap().permissions()) & 0o777,
        0o700
    );
    let elsewhere = egb.run_with(&["--db", "no/such/folder/keys.db", "add", "-"], "an-added-key-elsewhere-01");
    assert!(elsewhere.code == 1 && !egb.path("no").exists(), "a folder that was named is not made: {elsewhere:?}");
    let mut first = egb.command(&["--db", "other.db", "stats"]);
    assert!(Egb::finish(first.env("EGB_DB", "keys.db"), "").err.contains("other.db"), "the option prevails");
}
