//! `egb check` as a process, against the fake server: what it finds, what it prints, and what it does to keys.

use std::process::Stdio;
use std::time::{Duration, Instant};

use egb::{Balancer, Key, KeyState};
use egb_tests::{Egb, FakeGemini, FakeGeminiBuilder, Printed, eventually};
use serde_json::Value;

fn key(label: &str) -> String {
    format!("AIzaSyFAKE_check_{label}_0123456789abcdef")
}

/// A folder with a keys file of these keys and a database that knows them.
fn egb(labels: &[&str]) -> Egb {
    let egb = Egb::new(env!("CARGO_BIN_EXE_egb_command"));
    let lines: Vec<String> = labels.iter().map(|label| format!("{} label={label}", key(label))).collect();
    egb.write("keys.txt", &lines.join("\n"));
    drop(pool(&egb));
    egb
}

fn pool(egb: &Egb) -> Balancer {
    let balancer = Balancer::builder().keys_file(egb.path("keys.txt")).db(egb.db()).build().unwrap();
    balancer.flush().unwrap();
    balancer
}

fn state(egb: &Egb, label: &str) -> KeyState {
    let stats = pool(egb).stats();
    stats.keys.iter().find(|row| row.label.as_deref() == Some(label)).unwrap().state
}

fn server(builder: FakeGeminiBuilder) -> FakeGemini {
    builder.start_blocking().unwrap()
}

fn check(egb: &Egb, server: &FakeGemini, more: &[&str]) -> Printed {
    let url = server.url();
    let arguments = ["check", "--keys-file", "keys.txt", "--provider", "gemini", "--url", &url];
    egb.run(&[&arguments, more].concat())
}

/// Label, verdict, status, reason and effect of each key.
fn found(json: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields = ["label", "verdict", "status", "reason", "effect"];
    let row = |key: &Value| fields.map(|field| word(&key[field])).join(" ");
    json["keys"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn each_key_is_called_with_and_what_is_found_changes_its_state() {
    let egb = egb(&["good", "revoked", "leaked", "busy", "unbilled", "new"]);
    let server = server(
        FakeGemini::builder()
            .key(key("good"))
            .revoked(key("revoked"))
            .leaked(key("leaked"))
            .key(key("busy"))
            .out_of_credit(key("unbilled"))
            .service_disabled(key("new")),
    );
    server.throttle(&key("busy"), Duration::from_secs(250));
    let running = pool(&egb);
    let printed = check(&egb, &server, &["--json"]);
    let expected = [
        "good works 200 null none",
        "revoked refused 400 invalid_key disabled",
        "leaked refused 403 invalid_key disabled",
        "busy throttled 429 rate_limited cooldown",
        "unbilled refused 403 billing cooldown",
        "new refused 403 forbidden cooldown",
    ];
    assert_eq!(found(&printed.json()), expected);
    assert_eq!((printed.code, printed.err.as_str()), (0, ""), "a key works");
    assert_eq!(printed.json()["summary"]["refused"], 4);
    assert_eq!(printed.json()["provider"], "gemini");
    assert!(printed.json()["keys"][1]["message"].as_str().unwrap().contains("API key not valid"));
    assert_eq!([state(&egb, "revoked"), state(&egb, "busy")], [KeyState::Disabled, KeyState::CoolingDown]);
    eventually("what a running program hears of it", || running.stats().disabled() == 2);
    assert_eq!(server.received(&key("good")).total, 1);
}

#[test]
fn people_get_a_table() {
    let egb = egb(&["good", "revoked"]);
    let server = server(FakeGemini::builder().key(key("good")).revoked(key("revoked")));
    let printed = check(&egb, &server, &[]);
    let rows: Vec<Vec<&str>> = printed.fine().lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["KEY", "NAME", "VERDICT", "STATUS", "REASON", "MS", "EFFECT"]);
    let name = |label| Key::from(key(label)).fingerprint().to_string()[..8].to_owned();
    assert_eq!(rows[1][..5], [&*name("good"), "good", "works", "200", "-"]);
    assert_eq!(rows[2][..5], [&*name("revoked"), "revoked", "refused", "400", "invalid_key"]);
    assert_eq!(rows[2].last(), Some(&"disabled"));
    assert_eq!(printed.out.lines().last(), Some("2 keys: 1 work, 1 refused"));
    assert!(printed.out.lines().all(|line| line.chars().count() <= 80), "{}", printed.out);
}

#[test]
fn a_dry_run_tells_what_would_happen_and_writes_nothing() {
    let egb = egb(&["revoked"]);
    let server = server(FakeGemini::builder().revoked(key("revoked")));
    let before = std::fs::read(egb.db()).unwrap();
    let printed = check(&egb, &server, &["--dry-run"]);
    assert!(printed.out.contains("would be disabled"), "{printed:?}");
    assert_eq!(printed.code, 3, "no key works");
    assert_eq!(
        found(&check(&egb, &server, &["--dry-run", "--json"]).json()),
        ["revoked refused 400 invalid_key disabled"]
    );
    assert_eq!(std::fs::read(egb.db()).unwrap(), before);
    assert_eq!(state(&egb, "revoked"), KeyState::Available);
}

#[test]
fn a_disabled_key_that_works_is_told_and_enabled_on_request() {
    let egb = egb(&["good", "back"]);
    pool(&egb).disable(&key("back").into()).unwrap();
    let server = server(FakeGemini::builder().key(key("good")).key(key("back")));
    let name = &Key::from(key("back")).fingerprint().to_string()[..8];
    let told = check(&egb, &server, &[]);
    assert!(told.out.contains(&format!("egb enable {name}")), "{told:?}");
    assert!(told.err.contains("1 disabled key works"), "{told:?}");
    assert_eq!(state(&egb, "back"), KeyState::Disabled);
    let would_be = check(&egb, &server, &["--enable", "--dry-run"]);
    assert!(would_be.out.contains("would be enabled"), "{would_be:?}");
    assert_eq!(state(&egb, "back"), KeyState::Disabled);
    let enabled = check(&egb, &server, &["--enable", "--json"]);
    assert_eq!(found(&enabled.json()), ["good works 200 null none", "back works 200 null enabled"]);
    assert_eq!(state(&egb, "back"), KeyState::Available);
}

#[test]
fn a_disabled_key_that_does_not_work_stays_disabled() {
    let egb = egb(&["gone"]);
    pool(&egb).disable(&key("gone").into()).unwrap();
    let server = server(FakeGemini::builder().revoked(key("gone")));
    let printed = check(&egb, &server, &["--enable"]);
    assert!(printed.out.contains("stays disabled"), "{printed:?}");
    assert_eq!((printed.code, state(&egb, "gone")), (3, KeyState::Disabled));
}

#[test]
fn a_network_that_is_down_changes_no_key() {
    let egb = egb(&["a", "b"]);
    let url = "http://127.0.0.1:9";
    let run = |json: &[&str]| {
        let arguments = ["check", "--keys-file", "keys.txt", "--provider", "openai", "--url", url];
        egb.run(&[&arguments, json].concat())
    };
    let printed = run(&[]);
    assert_eq!(printed.code, 1, "{printed:?}");
    assert!(printed.out.contains("2 keys: 2 without an answer"), "{printed:?}");
    assert!(printed.err.contains("left as they were"), "{printed:?}");
    let json: Value = serde_json::from_str(&run(&["--json"]).out).unwrap();
    assert_eq!(found(&json), ["a no_answer null network none", "b no_answer null network none"]);
    let stats = pool(&egb).stats();
    assert_eq!((stats.available(), stats.calls()), (2, 0));
    assert!(stats.keys.iter().all(|key| key.health.factor() == 1.0));
}

#[test]
fn a_server_that_is_slow_or_fails_or_is_another_one_says_nothing_of_keys() {
    let egb = egb(&["a"]);
    let slow = server(FakeGemini::builder().key(key("a")).latency(Duration::from_secs(4)));
    let printed = check(&egb, &slow, &["--timeout", "1"]);
    assert_eq!(printed.code, 1);
    assert!(printed.out.contains("no answer"), "{printed:?}");
    let failing = server(FakeGemini::builder().key(key("a")));
    failing.outage(true);
    let printed = check(&egb, &failing, &[]);
    assert_eq!(printed.code, 1);
    assert!(printed.out.contains("unclear"), "{printed:?}");
    let url = failing.url() + "/nothing/here";
    let printed = egb.run(&["check", "--keys-file", "keys.txt", "--url", &url]);
    assert_eq!(printed.code, 1);
    assert!(printed.out.contains("404") && printed.err.contains("says nothing of the key"), "{printed:?}");
    assert_eq!(pool(&egb).stats().available(), 1);
}

#[test]
fn openai_anthropic_and_any_other_are_asked_in_their_ways() {
    let egb = egb(&["a", "b"]);
    let server = server(FakeGemini::builder().key(key("a")).revoked(key("b")));
    let url = server.url();
    for provider in ["openai", "anthropic"] {
        let arguments =
            ["check", "--keys-file", "keys.txt", "--provider", provider, "--url", &url, "--dry-run", "--json"];
        let expected = ["a works 200 null none", "b refused 401 invalid_key disabled"];
        assert_eq!(found(&egb.run(&arguments).json()), expected, "{provider}");
    }
    let own = url.clone() + "/v1beta/models";
    let run = |more: &[&str]| {
        let arguments = ["check", "--keys-file", "keys.txt", "--url", &own, "--dry-run", "--json"];
        found(&egb.run(&[&arguments, more].concat()).json())
    };
    assert_eq!(run(&["--header", "X-Goog-Api-Key: {key}"])[0], "a works 200 null none");
    let own = url + "/v1/models";
    let bearer = egb.run(&["check", "--keys-file", "keys.txt", "--url", &own, "--dry-run", "--json"]);
    assert_eq!(found(&bearer.json())[0], "a works 200 null none");
}

#[test]
fn only_the_keys_that_are_named_are_checked() {
    let egb = egb(&["a", "b", "c"]);
    let server = server(FakeGemini::builder().key(key("a")).key(key("b")).key(key("c")));
    let name = &Key::from(key("c")).fingerprint().to_string()[..6];
    assert_eq!(found(&check(&egb, &server, &["a", name, "--json"]).json()).len(), 2);
    assert_eq!(["a", "b", "c"].map(|label| server.received(&key(label)).total), [1, 0, 1]);
    let unknown = check(&egb, &server, &["nobody"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (1, ""));
    assert!(!unknown.err.contains("nobody"), "what was typed may be a key");
}

#[test]
fn keys_whose_text_is_not_known_here_are_skipped() {
    let egb = egb(&["a", "b"]);
    pool(&egb).report(&key("a").into(), 200);
    pool(&egb).report(&key("b").into(), 200);
    let server = server(FakeGemini::builder().key(key("a")));
    let url = server.url();
    let printed = egb.run(&["check", "--provider", "gemini", "--url", &url, "--json"]);
    assert_eq!(printed.code, 3);
    assert_eq!(printed.json()["summary"]["skipped"], 2);
    assert!(server.log().is_empty());
    let printed = egb.run(&["check", "--provider", "gemini", "--url", &url]);
    assert!(printed.out.ends_with("2 keys: 2 skipped, as their text is not known here\n"), "{printed:?}");
}

#[test]
fn an_added_key_is_checked_without_a_keys_file() {
    let egb = Egb::new(env!("CARGO_BIN_EXE_egb_command"));
    let added = "an-added-key-0123456789";
    Balancer::builder().key("test-key-own").db(egb.db()).build().unwrap().add(added).unwrap();
    let server = server(FakeGemini::builder().revoked(added));
    let printed = egb.run(&["check", "--provider", "openai", "--url", &server.url(), "--json"]);
    assert_eq!((printed.code, printed.json()["summary"]["refused"].as_u64()), (3, Some(1)));
    assert_eq!(server.received(added).rejected, 1);
}

#[test]
fn of_ten_thousand_keys_those_are_checked_that_can_be() {
    let labels: Vec<String> = (0..10_000).map(|number| format!("k{number}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let egb = egb(&labels);
    let balancer = pool(&egb);
    (0..10_000).for_each(|_| balancer.lease().unwrap().success());
    drop(balancer);
    let server = server(FakeGemini::builder().key(key("k77")).revoked(key("k9999")));
    let json = check(&egb, &server, &["k77", "k9999", "--json"]).json();
    assert_eq!(found(&json), ["k77 works 200 null none", "k9999 refused 400 invalid_key disabled"]);
    let url = server.url();
    let json = egb.run(&["check", "--provider", "gemini", "--url", &url, "--json"]).json();
    assert_eq!((&json["summary"]["total"], &json["summary"]["skipped"]), (&10_000.into(), &10_000.into()));
}

#[test]
fn calls_are_made_at_once_but_no_more_than_allowed() {
    let labels: Vec<String> = (0..24).map(|number| format!("k{number}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let egb = egb(&labels);
    let builder = labels.iter().fold(FakeGemini::builder(), |builder, label| builder.key(key(label)));
    let server = server(builder.latency(Duration::from_millis(250)));
    let start = Instant::now();
    assert_eq!(check(&egb, &server, &["--jobs", "12", "--dry-run"]).code, 0);
    assert!(start.elapsed() < Duration::from_secs(5), "it would be six one after the other");
    let start = Instant::now();
    check(&egb, &server, &["--jobs", "1", "--dry-run", "k1", "k2", "k3", "k4"]);
    assert!(start.elapsed() >= Duration::from_secs(1), "four, one after the other");
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let egb = egb(&["a"]);
    for arguments in [
        &["check"][..],
        &["check", "--provider", "nobody"],
        &["check", "--url", "nowhere"],
        &["check", "--url", "https://example.com", "--header", "X-Key: none"],
        &["check", "--provider", "gemini", "--jobs", "0"],
        &["check", "--provider", "gemini", "--timeout", "soon"],
    ] {
        let printed = egb.run(arguments);
        assert_eq!((printed.code, printed.out.as_str()), (2, ""), "{arguments:?} {printed:?}");
    }
}

#[test]
fn an_empty_pool_has_no_key_that_works_and_a_missing_or_broken_one_is_an_error() {
    let egb = Egb::new(env!("CARGO_BIN_EXE_egb_command"));
    let run = || egb.run(&["check", "--provider", "gemini", "--url", "http://127.0.0.1:9"]);
    assert_eq!(run().code, 1);
    egb.write("keys.db", "this is no database, and long enough to be taken for one that is broken");
    let broken = run();
    assert_eq!((broken.code, broken.out.as_str()), (1, ""));
    std::fs::remove_file(egb.db()).unwrap();
    let balancer = Balancer::builder().key("test-key-own").db(egb.db()).build().unwrap();
    balancer.add("an-added-key-0123456789").unwrap();
    balancer.remove(&"an-added-key-0123456789".into()).unwrap();
    drop(balancer);
    let empty = run();
    assert!(empty.out.starts_with("0 keys") || empty.out.contains("skipped"), "{empty:?}");
    assert_eq!(empty.code, 3);
}

#[test]
fn who_reads_no_further_is_no_failure_and_the_state_is_written() {
    let egb = egb(&["revoked"]);
    let server = server(FakeGemini::builder().revoked(key("revoked")));
    let url = server.url();
    let arguments = ["check", "--keys-file", "keys.txt", "--provider", "gemini", "--url", &url];
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = egb.command(&arguments).stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(state(&egb, "revoked"), KeyState::Disabled);
}

#[test]
fn a_wrong_provider_or_address_takes_out_no_pool_unasked() {
    let egb = egb(&["a", "b", "c"]);
    let server = server(FakeGemini::builder().revoked(key("a")).revoked(key("b")).revoked(key("c")));
    let printed = check(&egb, &server, &[]);
    assert_eq!(printed.code, 3, "{printed:?}");
    assert!(printed.out.contains("would be disabled"), "{printed:?}");
    assert!(printed.err.contains("no key works: a wrong provider or address?"), "{printed:?}");
    assert!(printed.err.contains("--yes"), "{printed:?}");
    assert_eq!(pool(&egb).stats().available(), 3, "nothing was changed");
    let json = check(&egb, &server, &["--json"]).json();
    assert_eq!((&json["applied"], &json["keys"][0]["disabled"]), (&false.into(), &true.into()));
    let one = check(&egb, &server, &["c", "--json"]).json();
    assert_eq!((&one["applied"], state(&egb, "c")), (&true.into(), KeyState::Disabled), "one is not a pool");
    let all = check(&egb, &server, &["--yes", "--json"]);
    assert_eq!((all.code, &all.json()["applied"]), (3, &true.into()));
    assert_eq!(pool(&egb).stats().disabled(), 3);
}

#[test]
fn what_the_notes_say_is_what_happened() {
    let egb = egb(&["a"]);
    let failing = server(FakeGemini::builder().key(key("a")));
    failing.outage(true);
    let failed = check(&egb, &failing, &[]);
    assert!(failed.out.contains("health ") && failed.err.contains("costs the key health"), "{failed:?}");
    assert!(!failed.err.contains("says nothing of the key"), "{failed:?}");
    let server = server(FakeGemini::builder().revoked(key("a")));
    let url = server.url() + "/v1beta/models?token=a-secret-of-the-query";
    let own = ["check", "--keys-file", "keys.txt", "--url", &url, "--header", "x-goog-api-key: {key}", "--dry-run"];
    let printed = egb.run(&[&own[..], &["--json"]].concat());
    let json = printed.json();
    assert_eq!(json["url"], server.url() + "/v1beta/models?…");
    assert!(!printed.out.contains("a-secret-of-the-query"), "{printed:?}");
    let message = json["keys"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("the server answered 400"), "{message}");
}

#[test]
fn sealed_keys_that_are_skipped_say_how_to_open_them() {
    let egb = Egb::new(env!("CARGO_BIN_EXE_egb_command"));
    egb.write("passphrase.txt", "correct horse\n");
    egb.run_with(&["add", "-", "--passphrase-file", "passphrase.txt"], "an-added-key-0123456789");
    let printed = egb.run(&["check", "--provider", "gemini", "--url", "http://127.0.0.1:9"]);
    assert_eq!(printed.code, 3);
    assert!(printed.err.contains("--passphrase-file"), "{printed:?}");
}

#[test]
fn a_long_label_is_cut_and_the_table_fits() {
    let label = "a-label-of-five-and-forty-characters-in-all-x";
    let egb = egb(&[label]);
    let server = server(FakeGemini::builder().revoked(key(label)));
    let printed = check(&egb, &server, &[]);
    assert!(printed.out.contains('…') && printed.out.contains("invalid_key"), "{printed:?}");
    assert!(printed.out.lines().all(|line| line.chars().count() <= 80), "{}", printed.out);
    let looks = egb.run(&["monitor", "--count", "1", "--keys-file", "keys.txt"]);
    assert!(looks.out.lines().all(|line| line.chars().count() <= 80), "{}", looks.out);
}
