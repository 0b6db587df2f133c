//! The commands of `egb` that look at a pool and change nothing: what they print, as text and as JSON, for pools of no
//! key, one, and many.

use std::fs;
use std::time::Duration;

use egb::{Balancer, Failure, Verdict};
use egb_tests::Egb;
use serde_json::{Value, json};

fn egb() -> Egb {
    Egb::new(env!("CARGO_BIN_EXE_egb_command"))
}

const KEYS: &str = "AIzaSyFAKE_looking_0123456789abcd_a:2 label=work group=alpha rpm=60
AIzaSyFAKE_looking_0123456789abcd_b:0.5 label=spare
AIzaSyFAKE_looking_0123456789abcd_c
";

/// A pool in a keys file: one key throttled for an hour, one disabled, one that served two calls.
fn three_keys() -> Egb {
    let egb = egb();
    let file = egb.write("keys.txt", KEYS);
    let balancer = Balancer::builder().keys_file(file).db(egb.db()).seed(1).build().unwrap();
    let name = |end: &str| format!("AIzaSyFAKE_looking_0123456789abcd_{end}").into();
    for _ in 0..2 {
        let lease = balancer.lease().unwrap();
        lease.success();
    }
    let throttled = Failure::status(429).with_retry_after(Duration::from_secs(3_600));
    balancer.report(&name("b"), Verdict::Failure(throttled));
    balancer.report(&name("c"), 401);
    balancer.flush().unwrap();
    egb
}

/// A pool in which no key is any more.
fn no_key() -> Egb {
    let egb = egb();
    egb.run_with(&["add", "-", "--label", "gone"], "an-added-key-that-goes");
    egb.run(&["remove", "gone"]).fine();
    egb
}

/// A pool of 10,000 keys in the database.
fn many_keys() -> Egb {
    let egb = egb();
    let lines: Vec<String> =
        (0..10_000).map(|n| format!("an-added-key-{n:05}-0123456789:{} label=n{n}", n % 7 + 1)).collect();
    egb.write("many.txt", &lines.join("\n"));
    let imported = egb.run(&["import", "many.txt"]);
    assert_eq!(imported.out, "imported many.txt: 10,000 new, 0 updated, 0 skipped\n");
    egb
}

#[test]
fn stats_of_a_pool_in_a_few_lines() {
    let egb = three_keys();
    let printed = egb.run(&["stats", "--keys-file", "keys.txt"]);
    assert_eq!((printed.code, &*printed.err), (0, ""));
    assert_eq!(
        printed.steady(),
        "keys       3  1 available, 1 cooling down, 1 disabled
weight     3.5  1.17 on average, 3.4 in effect
calls      4
success    50.0 %  2 succeeded, 2 failed
429s       1
last use   NOW
database   SIZE  keys.db
cache      3,072  sessions that each program remembers at most
"
    );
    let json = egb.run(&["stats", "--keys-file", "keys.txt", "--json"]).json();
    assert_eq!(
        json["keys"],
        json!({ "total": 3, "available": 1, "cooling_down": 1, "limited": 0, "busy": 0, "disabled": 1 })
    );
    assert_eq!((&json["calls"], &json["throttled"], &json["success_rate"]), (&json!(4), &json!(1), &json!(0.5)));
    assert_eq!(json["weight"]["total"], 3.5);
    assert_eq!(json.get("detailed"), None);
}

#[test]
fn stats_tell_of_each_key_on_request() {
    let egb = three_keys();
    let printed = egb.run(&["stats", "--detailed", "--keys-file", "keys.txt"]).steady();
    let (_, table) = printed.split_once("\n\n").unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["KEY", "NAME", "STATE", "WEIGHT", "CALLS", "SUCCESS", "429S", "LAST", "USED"]);
    assert_eq!(rows[2][1..5], ["spare", "cooling", "down", "0.4"]);
    assert_eq!(rows[3][1..3], ["AIza…cd_c", "disabled"]);
    let json = egb.run(&["stats", "--detailed", "--keys-file", "keys.txt", "--json"]).json();
    assert_eq!(json["detailed"].as_array().unwrap().len(), 3);
}

#[test]
fn health_shows_the_worst_first_and_how_long_it_lasts() {
    let egb = three_keys();
    let printed = egb.run(&["health", "--keys-file", "keys.txt"]).steady();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[..2], ["3 keys: 1 available, 1 cooling down, 1 disabled", ""]);
    assert_eq!(lines[2], "KEY       NAME       STATE         HEALTH    LAST ERROR        WHEN    BACK IN");
    let row = |at: usize| lines[at].split_once("  ").unwrap().1;
    assert_eq!(row(3), "AIza…cd_c  disabled      ████████  401 invalid_key   NOW        -");
    assert!(row(4).starts_with("spare      cooling down  ██████░░  429 rate_limited  NOW"), "{}", row(4));
    let back_in = row(4).trim_end_matches('s').trim_end_matches(|digit: char| digit.is_ascii_digit());
    assert!(back_in.ends_with("  59m ") || row(4).ends_with("  1h"), "{}", row(4));
    assert_eq!(row(5), "work       available     ████████  -                 -             -");
}

#[test]
fn health_is_filtered_and_sums_up_what_is_wrong() {
    let egb = three_keys();
    let names = |filter: &str| -> Vec<Value> {
        let json = egb.run(&["health", "--keys-file", "keys.txt", "--filter", filter, "--json"]).json();
        assert_eq!(json["counts"]["total"], 3, "of all keys");
        assert_eq!(json["errors"], json!({ "invalid_key": 1, "rate_limited": 1 }));
        json["keys"].as_array().unwrap().iter().map(|key| key["label"].clone()).collect()
    };
    assert_eq!(names("available"), ["work"]);
    assert_eq!(names("cooling"), ["spare"]);
    assert_eq!(names("disabled"), [Value::Null]);
    assert_eq!(names("error"), [Value::Null, "spare".into()]);
}

#[test]
fn a_pool_without_a_usable_key_has_an_exit_code_of_its_own() {
    let egb = three_keys();
    let work = "AIzaSyFAKE_looking_0123456789abcd_a";
    Balancer::builder().key(work).db(egb.db()).build().unwrap().disable(&work.into()).unwrap();
    assert_eq!(egb.run(&["stats"]).code, 3);
    assert_eq!(egb.run(&["health", "--json"]).code, 3);
    assert_eq!(egb.run(&["list"]).code, 0, "listing keys is fine all the same");
}

#[test]
fn a_list_has_a_line_a_key_in_the_order_that_is_wanted() {
    let egb = three_keys();
    let list = |arguments: &[&str]| egb.run(&[&["list", "--keys-file", "keys.txt"], arguments].concat()).steady();
    let all = list(&[]);
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(lines[0], "KEY       MASKED     LABEL  GROUP  STATE         WEIGHT  FAILED  LAST USED");
    assert_eq!(&lines[2][10..], "AIza…cd_b  spare  -      cooling down     0.5       1  never");
    assert_eq!(lines.len(), 4);
    let labels = |arguments: &[&str]| -> Vec<Value> {
        let json = egb.run(&[&["list", "--keys-file", "keys.txt", "--json"], arguments].concat()).json();
        json["keys"].as_array().unwrap().iter().map(|key| key["label"].clone()).collect()
    };
    let none = Value::Null;
    assert_eq!(labels(&["--sort", "weight"]), ["work".into(), none.clone(), "spare".into()]);
    assert_eq!(labels(&["--sort", "label"]), ["spare".into(), "work".into(), none.clone()]);
    assert_eq!(labels(&["--sort", "state"]), [none.clone(), "spare".into(), "work".into()]);
    assert_eq!(labels(&["--sort", "errors", "--limit", "2"]), ["spare".into(), none.clone()]);
    assert_eq!(labels(&["--sort", "last-used"]).len(), 3);
    assert_eq!(labels(&["--filter", "disabled"]), [none]);
    let cut = egb.run(&["list", "--keys-file", "keys.txt", "--limit", "1"]);
    assert_eq!((cut.out.lines().count(), &*cut.err), (2, "note: 1 of 3 keys\n"));
}

#[test]
fn a_list_is_grouped() {
    let egb = three_keys();
    egb.run_with(&["add", "-", "--source", "vault"], "an-added-key-in-the-vault");
    let headings = |by: &str| -> Vec<String> {
        let printed = egb.run(&["list", "--keys-file", "keys.txt", "--group-by", by]);
        let lines = printed.fine().split("\n\n").map(|section| section.lines().next().unwrap().to_owned());
        lines.collect()
    };
    assert_eq!(headings("group"), ["alpha  1 available", "none  1 available, 1 cooling down, 1 disabled"]);
    assert_eq!(headings("source"), ["keys.txt  1 available, 1 cooling down, 1 disabled", "vault  1 available"]);
}

#[test]
fn without_a_keys_file_keys_are_known_by_fingerprint_alone() {
    let egb = three_keys();
    let json = egb.run(&["list", "--json", "--sort", "state"]).json();
    let keys = json["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 3);
    let key = &keys[0];
    assert_eq!(
        (&key["masked"], &key["label"], &key["origin"], &key["source"]),
        (&json!("…"), &Value::Null, &json!("unknown"), &Value::Null)
    );
    assert_eq!(key["last_error"]["reason"], "invalid_key");
    assert_eq!(key["last_error"]["status"], 401);
    let named = egb.run(&["list", "--json", "--sort", "state", "--keys-file", "keys.txt"]).json();
    assert_eq!(named["keys"][0]["fingerprint"], key["fingerprint"]);
    assert_eq!((&named["keys"][0]["origin"], &named["keys"][0]["source"]), (&json!("keys_file"), &json!("keys.txt")));
    assert_eq!(named["keys"][2]["limits"], json!({ "rpm": 60, "rpd": null, "tpm": null, "concurrency": null }));
}

#[test]
fn keys_in_the_environment_are_of_the_pool() {
    let egb = three_keys();
    let mut command = egb.command(&["list", "--json"]);
    command.env("EGB_KEYS", "AIzaSyFAKE_looking_0123456789abcd_c").env("EGB_KEYS_FILE", "");
    let json = Egb::finish(&mut command, "").json();
    assert_eq!(json["total"], 1, "others that the database knows are of no concern");
    assert_eq!((&json["keys"][0]["origin"], &json["keys"][0]["state"]), (&json!("environment"), &json!("disabled")));
}

#[test]
fn keys_are_revealed_on_request_and_in_json_on_a_second_one() {
    let egb = three_keys();
    let secret = "AIzaSyFAKE_looking_0123456789abcd_a";
    let list = egb.run(&["list", "--keys-file", "keys.txt", "--reveal"]);
    assert!(list.fine().contains(secret));
    let once = egb.run(&["list", "--keys-file", "keys.txt", "--reveal", "--json"]);
    assert!(once.refused().0 == 2 && once.err.contains("--reveal-in-json"), "{}", once.err);
    let json = egb.run(&["list", "--keys-file", "keys.txt", "--reveal", "--json", "--reveal-in-json"]).json();
    assert_eq!(json["keys"][0]["key"], secret);
    assert_eq!(egb.run(&["list", "--reveal-in-json", "--json"]).code, 2, "it is a part of --reveal");
    assert_eq!(egb.run(&["list", "--reveal"]).code, 0, "nothing is known to be revealed");
}

#[test]
fn an_empty_pool_is_nothing_special() {
    let egb = no_key();
    let stats = egb.run(&["stats"]);
    assert_eq!(stats.code, 3);
    assert!(stats.out.starts_with("keys       0\nweight     0\ncalls      0\n"), "{}", stats.out);
    assert_eq!(egb.run(&["stats", "--json"]).json()["weight"]["average"], Value::Null);
    assert_eq!(egb.run(&["health"]).out, "0 keys: add some with `egb add` or `egb import`\n");
    let list = egb.run(&["list"]);
    assert_eq!((list.code, &*list.out, &*list.err), (0, "", "note: no key\n"));
    assert_eq!(egb.run(&["reset", "--yes"]).fine(), "reset no key: there is none\n");
    assert_eq!(egb.run(&["list", "--json"]).json(), json!({ "total": 0, "keys": [] }));
    assert_eq!(egb.run(&["export", "--format", "csv"]).fine().lines().count(), 1, "the header");
    assert_eq!(egb.run(&["export"]).json()["detailed"], json!([]));
    let history = egb.run(&["history"]);
    assert_eq!((&*history.out, &*history.err), ("", "note: nothing was imported; `egb import keys.txt` does\n"));
    assert_eq!(egb.run(&["history", "--json"]).json(), json!({ "imports": [] }));
}

#[test]
fn ten_thousand_keys_are_shown_as_well() {
    let egb = many_keys();
    assert!(egb.run(&["stats"]).fine().starts_with("keys       10,000  10,000 available\n"));
    assert_eq!(egb.run(&["stats", "--json"]).json()["keys"]["available"], 10_000);
    let list = egb.run(&["list", "--limit", "20", "--sort", "weight"]);
    assert_eq!((list.out.lines().count(), &*list.err), (21, "note: 20 of 10,000 keys\n"));
    assert_eq!(egb.run(&["list"]).fine().lines().count(), 10_001);
    assert_eq!(egb.run(&["health", "--filter", "error"]).fine(), "10,000 keys: 10,000 available\n");
    assert_eq!(egb.run(&["export", "--format", "csv"]).fine().lines().count(), 10_001);
    let json = egb.run(&["list", "--json", "--limit", "3"]).json();
    assert_eq!((&json["total"], json["keys"].as_array().unwrap().len()), (&json!(10_000), 3));
}

#[test]
fn a_pool_is_exported_in_three_formats() {
    let egb = three_keys();
    let export = |arguments: &[&str]| egb.run(&[&["export", "--keys-file", "keys.txt"], arguments].concat());
    let json = export(&[]).json();
    assert_eq!((&json["keys"]["total"], json["detailed"].as_array().unwrap().len()), (&json!(3), 3));
    let csv = export(&["--format", "csv"]);
    let lines: Vec<&str> = csv.fine().lines().collect();
    assert!(
        lines[0].starts_with("fingerprint,masked,label,group,source,state,back_at,weight,effective_weight,health,")
    );
    assert!(lines[1].contains(",AIza…cd_a,work,alpha,keys.txt,available,,2,2,1,0,0,,,,"), "{}", lines[1]);
    assert_eq!(lines.len(), 4);
    let txt = export(&["--format", "txt"]);
    assert!(txt.fine().starts_with("egb, 20") && txt.out.contains("\nweight     3.5  ") && !txt.out.contains('\u{1b}'));
    let secrets = export(&["--format", "csv", "--reveal"]);
    assert!(secrets.fine().lines().nth(1).unwrap().ends_with(",AIzaSyFAKE_looking_0123456789abcd_a"));
    assert_eq!(export(&["--reveal"]).code, 2, "JSON");
}

#[test]
fn an_export_is_a_file_for_its_owner_that_takes_the_place_of_another_whole() {
    let egb = three_keys();
    egb.write("pool.csv", "what was there before");
    let printed = egb.run(&["export", "--output", "pool.csv"]);
    assert_eq!(printed.fine(), "wrote 3 keys to pool.csv\n");
    let text = fs::read_to_string(egb.path("pool.csv")).unwrap();
    assert_eq!(text.lines().count(), 4, "the format follows from the name");
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&egb.path("pool.csv").metadata().unwrap().permissions()) & 0o777,
        0o600
    );
    let json = egb.run(&["export", "--output", "pool.json", "--json"]).json();
    assert_eq!(json, json!({ "file": "pool.json", "format": "json", "keys": 3 }));
    let failed = egb.run(&["export", "--output", "no/such/folder/pool.csv"]);
    assert_eq!(failed.code, 1);
    let files: Vec<_> = fs::read_dir(egb.dir()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(files.iter().all(|name| !name.to_string_lossy().starts_with(".egb")), "nothing is left behind: {files:?}");
}

#[cfg(unix)]
#[test]
fn an_export_goes_through_links_and_into_pipes() {
    let egb = three_keys();
    egb.write("target.json", "what was there before");
    std::os::unix::fs::symlink("target.json", egb.path("link.json")).unwrap();
    std::os::unix::fs::symlink("nothing.json", egb.path("dangling.json")).unwrap();
    let keys = |name: &str| {
        let pool: Value = serde_json::from_str(&fs::read_to_string(egb.path(name)).unwrap()).unwrap();
        pool["detailed"].as_array().unwrap().len()
    };
    for (link, target) in [("link.json", "target.json"), ("dangling.json", "nothing.json")] {
        egb.run(&["export", "--output", link]).fine();
        assert!(egb.path(link).is_symlink(), "{link}");
        assert_eq!(keys(target), 3);
    }
    let pipe = egb.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    assert_eq!(egb.run(&["export", "--output", "pipe"]).code, 0);
    assert!(std::os::unix::fs::FileTypeExt::is_fifo(&fs::metadata(&pipe).unwrap().file_type()), "it is one still");
    let read: Value = serde_json::from_str(&reader.join().unwrap()).unwrap();
    assert_eq!(read["keys"]["total"], 3);
}

#[cfg(target_os = "linux")]
#[test]
fn an_export_to_what_is_open_already_replaces_nothing() {
    let egb = three_keys();
    let before = fs::read_to_string(egb.write("log.json", "{}\n")).unwrap();
    // A link of our own: nothing below /dev is to be touched, whatever goes wrong.
    std::os::unix::fs::symlink("/proc/self/fd/1", egb.path("stdout")).unwrap();
    let log = fs::OpenOptions::new().append(true).open(egb.path("log.json")).unwrap();
    let inode = |log: &fs::File| std::os::unix::fs::MetadataExt::ino(&log.metadata().unwrap());
    let status = egb.command(&["export", "--output", "stdout"]).stdout(log.try_clone().unwrap()).status().unwrap();
    assert!(status.success());
    let text = fs::read_to_string(egb.path("log.json")).unwrap();
    assert_eq!(inode(&log), inode(&fs::File::open(egb.path("log.json")).unwrap()), "it is the same file");
    let pool: Value = serde_json::from_str(text.strip_prefix(&before).expect("what was there stays")).unwrap();
    assert_eq!(pool["keys"]["total"], 3);

    std::os::unix::fs::symlink("/proc/self/fd/2", egb.path("stderr")).unwrap();
    let mut command = egb.command(&["export", "--output", "stderr"]);
    let printed = command.stderr(log.try_clone().unwrap()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&printed.stdout), "wrote 3 keys to stderr\n");
    let longer = fs::read_to_string(egb.path("log.json")).unwrap();
    let pool: Value = serde_json::from_str(longer.strip_prefix(&text).expect("what was there stays")).unwrap();
    assert_eq!(pool["keys"]["total"], 3);
}

#[cfg(unix)]
#[test]
fn control_characters_in_the_name_of_a_database_do_not_reach_the_terminal() {
    let egb = three_keys();
    let name = "a\u{1b}[31mred\n.db";
    let shown = "a\\u{1b}[31mred\\n.db";
    fs::copy(egb.db(), egb.path(name)).unwrap();
    for command in [&["db"][..], &["stats"], &["db", "--upgrade"], &["db", "--backup", "b\u{1b}.db"]] {
        let printed = egb.run(&[&["--db", name], command].concat());
        assert!(!printed.out.contains('\u{1b}') && printed.out.contains("\\u{1b}"), "{command:?}: {}", printed.out);
    }
    assert!(egb.run(&["--db", name, "db"]).fine().contains(shown));
}

#[test]
fn looking_changes_no_file() {
    let egb = three_keys();
    let files = || -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(egb.dir())
            .unwrap()
            .map(|file| file.unwrap().path())
            .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = files();
    for command in ["stats", "health", "list", "history", "export", "db"] {
        egb.run(&[command]);
        egb.run(&[command, "--keys-file", "keys.txt", "--json"]);
        assert!(files() == before, "{command}");
    }
    egb.run(&["cleanup", "--unused", "0s"]);
    assert!(files() == before, "a dry run");
}
