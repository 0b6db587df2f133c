//! The command `egb` where not all is well: no database, a broken one, an older one, names that are none, a closed pipe,
//! no terminal; and where it finds the pool.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use egb::{Balancer, KeyConfig};
use egb_tests::Egb;
use serde_json::{Value, json};

fn egb() -> Egb {
    Egb::new(env!("CARGO_BIN_EXE_egb_command"))
}

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

fn key(number: usize) -> String {
    format!("AIzaSyFAKE_surroundings_{number:05}_abcdef")
}

/// A pool whose keys are labelled `one`, `two`, `two`.
fn three_keys() -> Egb {
    let egb = egb();
    let labels = ["one", "two", "two"];
    let configs = labels.iter().enumerate().map(|(number, label)| KeyConfig::new(key(number)).label(*label));
    let builder = configs.fold(Balancer::builder().db(egb.db()), egb::BalancerBuilder::key);
    let balancer = builder.build().unwrap();
    let lines = labels.iter().enumerate().map(|(number, label)| format!("{} label={label}", key(number)));
    egb.write("keys.txt", &lines.collect::<Vec<_>>().join("\n"));
    for _ in 0..3 {
        balancer.lease().unwrap().success();
    }
    drop(balancer);
    egb
}

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
fn a_reader_that_goes_away_is_no_failure() {
    let egb = egb();
    let keys: Vec<String> = (0..10_000).map(|n| format!("an-added-key-{n:05}-0123456789")).collect();
    egb.write("many.txt", &keys.join("\n"));
    egb.run(&["import", "many.txt"]);
    for command in [&["list"][..], &["list", "--json"], &["export", "--format", "csv"], &["health"]] {
        let mut child = egb.command(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        let ended = child.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), &*ended.stderr), (Some(0), &b""[..]), "{command:?}");
    }
}

#[test]
fn without_a_terminal_there_are_neither_colours_nor_more_than_80_columns() {
    let egb = three_keys();
    let long = "a-label-that-is-much-too-long-for-any-column-of-a-table-in-a-terminal-of-eighty-columns";
    egb.run_with(&["add", "-", "--label", long, "--group", long], "an-added-key-with-long-names");
    for command in [&["list"][..], &["health"], &["stats", "--detailed"], &["cleanup", "--unused", "0s"], &["db"]] {
        let printed = egb.run(command);
        assert!(!printed.out.contains('\u{1b}') && !printed.err.contains('\u{1b}'), "{}", printed.out);
        for line in printed.out.lines() {
            assert!(line.chars().count() <= 80 && line == line.trim_end(), "{line:?}");
        }
    }
    assert!(egb.run(&["list"]).out.contains("a-label-that…") || egb.run(&["list"]).out.contains('…'));
    let mut forced = egb.command(&["list"]);
    assert!(Egb::finish(forced.env("CLICOLOR_FORCE", "1"), "").out.contains("\u{1b}["));
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

/// All names of fields in a value.
fn names(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            found.push(name.clone());
            names(value, found);
        }),
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        _ => {}
    }
}

#[test]
fn each_field_of_the_json_is_documented() {
    let page = include_str!("../../egb/docs/cli.md");
    let egb = three_keys();
    egb.run_with(&["add", "-", "--label", "added"], "an-added-key-documented-01");
    egb.write("more.txt", "an-added-key-documented-02 label=more");
    let outputs: [(&[&str], i32); 16] = [
        (&["import", "more.txt"], 0),
        (&["stats", "--detailed"], 0),
        (&["health"], 0),
        (&["list"], 0),
        (&["history"], 0),
        (&["disable", "added"], 0),
        (&["enable", "added"], 0),
        (&["weight", "added", "2"], 0),
        (&["reset", "added"], 0),
        (&["remove", "added"], 0),
        (&["cleanup", "--unused", "0s"], 0),
        (&["export", "--output", "pool.csv"], 0),
        (&["db"], 0),
        (&["db", "--backup", "copy.db"], 0),
        (&["db", "--vacuum"], 0),
        (&["db", "--upgrade"], 0),
    ];
    for (command, code) in outputs {
        let printed = egb.run(&[command, &["--json"]].concat());
        assert_eq!(printed.code, code, "{printed:?}");
        let mut fields = Vec::new();
        // The reasons under `errors` are values.
        let mut value = printed.json();
        value.as_object_mut().unwrap().remove("errors");
        names(&value, &mut fields);
        for field in fields {
            assert!(page.contains(&format!("`{field}`")), "{field} of {command:?}");
        }
    }
}

#[test]
fn each_command_has_help_with_examples_and_is_in_the_documentation() {
    let egb = egb();
    let help = egb.run(&["--help"]);
    let (_, commands) = help.fine().split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let mut count = 0;
    for name in commands.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' ')) {
        let name = name.split_whitespace().next().unwrap();
        if name == "help" {
            continue;
        }
        count += 1;
        let help = egb.run(&[name, "--help"]);
        assert!(
            help.fine().contains(&format!("Examples:\n  egb {name}")) || help.out.contains("Examples:\n  "),
            "{name}"
        );
        assert!(help.out.lines().all(|line| line.chars().count() <= 120), "{name}");
        assert!(include_str!("../../egb/docs/cli.md").contains(&format!("`egb {name}")), "{name}");
        assert!(egb.run(&["man", name]).fine().contains(".SH NAME"), "{name}");
    }
    assert!(count >= 16);
    assert!(help.out.contains("Exit codes: 0 fine, 1 failure, 2 usage, 3 no usable key."));
    assert_eq!(egb.run(&[]).refused().0, 2);
    assert_eq!(egb.run(&["bogus"]).refused().0, 2);
    assert_eq!(egb.run(&["man", "bogus"]).refused().0, 2);
}

#[test]
fn completions_and_manual_pages_are_generated() {
    let egb = egb();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(egb.run(&["completions", shell]).fine().contains("egb"), "{shell}");
    }
    fs::create_dir(egb.path("man1")).unwrap();
    egb.run(&["man", "--output", "man1"]).fine();
    let page = fs::read_to_string(egb.path("man1/egb-list.1")).unwrap();
    assert!(page.contains(".TH egb-list 1") && page.contains("egb 0."), "{page}");
    assert!(fs::read_to_string(egb.path("man1/egb.1")).unwrap().contains("egb\\-stats(1)"));
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
