//! The global balancer when nobody called `init`: built from `EGB_KEYS_FILE`, `EGB_KEYS` and `EGB_DB`,
//! in a process of its own each, for there is one global a process.

use std::process::{Command, Output};

fn run(count: usize, variables: &[(&str, &str)]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_plain_key"));
    program.arg(count.to_string()).env_clear().envs(variables.iter().copied()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn without_any_setting_the_error_tells_the_three_ways() {
    let output = run(1, &[]);
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).unwrap();
    for way in ["egb::init", "EGB_KEYS_FILE", "EGB_KEYS="] {
        assert!(message.contains(way), "{way} is missing in: {message}");
    }
}

#[test]
fn keys_come_from_the_environment_or_from_a_file() {
    assert_eq!(stdout(&run(3, &[("EGB_KEYS", "test-key-1:2, test-key-2\ntest-key-3")])), "3 keys\n");
    let dir = egb_tests::tempdir().unwrap();
    let path = dir.path().join("keys.txt");
    std::fs::write(&path, "test-key-1\ntest-key-2\n").unwrap();
    assert_eq!(stdout(&run(2, &[("EGB_KEYS_FILE", path.to_str().unwrap())])), "2 keys\n");
}

#[test]
fn a_bad_setting_is_named_and_shows_no_key() {
    let output = run(1, &[("EGB_KEYS", "AIzaSyFAKE_secret_in_the_environment:0")]);
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("EGB_KEYS"), "{message}");
    assert!(!message.contains("secret_in"), "{message}");
}

#[test]
fn state_is_kept_where_the_environment_says_although_there_is_no_guard() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let variables = [("EGB_KEYS", "test-key-1"), ("EGB_DB", db.to_str().unwrap())];
    stdout(&run(1, &variables));
    stdout(&run(1, &variables));
    let balancer = egb::Balancer::builder().key("test-key-1").db(&db).build().unwrap();
    assert_eq!(balancer.stats().successes(), 2);
}
