//! Where keys come from, what a balancer refuses, and what its errors say.

use std::error::Error as _;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use egb::{Balancer, Error, KeyConfig};
use egb_tests::Scratch;

const SECRET: &str = "AIzaSyFAKE_secret_secret_secret_secret0";

fn file(text: &str) -> (Scratch, PathBuf) {
    let dir = egb_tests::tempdir().unwrap();
    let path = dir.path().join("keys.txt");
    fs::write(&path, text).unwrap();
    (dir, path)
}

/// The error's text with all its sources; checked to hold no key.
fn text(error: &Error) -> String {
    let mut text = format!("{error} / {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        write!(text, " / {error}").unwrap();
        source = error.source();
    }
    assert!(!text.contains(&SECRET[4..14]), "an error shows a key: {text}");
    text
}

fn refused(builder: egb::BalancerBuilder) -> String {
    text(&builder.build().expect_err("this must be refused"))
}

#[test]
fn a_keys_file_gives_weights_labels_groups_and_limits() {
    let (_dir, path) = file("# mine\ntest-key-a:2.5 label=first group=one rpm=7 concurrency=3\n\ntest-key-b\r\n");
    let balancer = Balancer::builder().keys_file(path).build().unwrap();
    let stats = balancer.stats();
    assert_eq!(stats.total(), 2);
    assert_eq!(stats.keys[0].health.weight(), 2.5);
    assert_eq!((stats.keys[0].label.as_deref(), stats.keys[0].group.as_deref()), (Some("first"), Some("one")));
    assert_eq!(stats.keys[1].health.weight(), 1.0);
}

#[test]
fn every_bad_line_is_named_at_once_and_no_key_is_shown() {
    let (_dir, path) = file(&format!("good-key\n{SECRET}:0\n{SECRET}1:nan\nsk-{SECRET}:{SECRET}\n"));
    let text = refused(Balancer::builder().keys_file(&path));
    for part in [path.to_str().unwrap(), "2", "3", "4"] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
}

#[test]
fn files_that_can_not_be_read_are_told_apart() {
    let dir = egb_tests::tempdir().unwrap();
    let missing = refused(Balancer::builder().keys_file(dir.path().join("missing.txt")));
    assert!(missing.contains("missing.txt"), "{missing}");
    let folder = refused(Balancer::builder().keys_file(dir.path()));
    assert_ne!(missing, folder);
    let (_dir, empty) = file("# nothing yet\n");
    assert!(refused(Balancer::builder().keys_file(empty)).contains("holds no key"));
}

#[test]
fn sources_add_up_and_a_key_given_twice_alike_is_one_key() {
    let (_dir, path) = file("test-key-a\ntest-key-b:2\n");
    let balancer = Balancer::builder()
        .keys_file(&path)
        .key("test-key-a")
        .keys(["test-key-c", "test-key-d"])
        .key(KeyConfig::new("test-key-b").weight(2.0))
        .build()
        .unwrap();
    assert_eq!(balancer.stats().total(), 4);
}

#[test]
fn one_key_with_two_settings_is_refused() {
    let twice = refused(Balancer::builder().key(SECRET).key(KeyConfig::new(SECRET).weight(2.0)));
    assert!(twice.contains("given twice"), "{twice}");
}

#[test]
fn bad_values_in_code_are_refused() {
    assert!(refused(Balancer::builder()).contains("keys_file"));
    assert!(refused(Balancer::builder().keys(Vec::<String>::new())).contains("no keys"));
    for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused = refused(Balancer::builder().key(KeyConfig::new(SECRET).weight(weight)));
        assert!(refused.contains("weight"), "{refused}");
    }
    for bad in ["", " ", "two words", "line\nbreak", "zero\u{200b}width"] {
        refused(Balancer::builder().key(bad));
    }
    assert!(refused(Balancer::builder().key(SECRET).rpm(0)).contains("rpm"));
    assert!(refused(Balancer::builder().key(KeyConfig::new(SECRET).concurrency(0))).contains("concurrency"));
}

#[test]
fn a_label_or_group_that_repeats_a_key_or_can_not_be_printed_is_refused() {
    let named = |name: &str| [KeyConfig::new(SECRET).label(name), KeyConfig::new(SECRET).group(name)];
    let pool = Balancer::builder().keys(["test-key-a", SECRET, "k"]).build().unwrap();
    for bad in [SECRET, &SECRET.to_uppercase(), &format!("mine-{SECRET}"), "bell\u{7}", "\u{1b}[31m", "", " "] {
        for config in named(bad) {
            let said = refused(Balancer::builder().key(config.clone()));
            assert!(said.starts_with("the label or group of the key "), "{said}");
            text(&pool.add(config).unwrap_err());
        }
    }
    let short = Balancer::builder().key(KeyConfig::new("k").label("k")).build().unwrap_err();
    assert!(short.to_string().contains("repeats the key"), "{short}");
    assert_eq!(pool.stats().total(), 3);
    for config in named("work 1") {
        pool.add(config).unwrap();
    }
}

#[test]
fn a_label_or_group_that_is_another_key_is_refused_wherever_that_is_from() {
    let other = || KeyConfig::new("test-key-b").label(SECRET);
    let (_dir, path) = file(&format!("{SECRET}\ntest-key-a label={SECRET}\ntest-key-b\ntest-key-c group={SECRET}\n"));
    let lines = refused(Balancer::builder().keys_file(&path));
    assert!(lines.contains("line 2 repeats the key of line 1") && lines.contains("line 4 repeats"), "{lines}");
    fs::write(&path, format!("{SECRET}\n")).unwrap();
    for builder in [
        Balancer::builder().keys_file(&path).key(other()),
        Balancer::builder().key(other()).keys_file(&path),
        Balancer::builder().key(SECRET).key(KeyConfig::new("test-key-b").group(SECRET)),
    ] {
        let said = refused(builder);
        assert!(said.contains("repeats another key"), "{said}");
    }
    let pool = Balancer::builder().keys_file(&path).build().unwrap();
    assert!(text(&pool.add(other()).unwrap_err()).contains("repeats another key"));
    fs::write(&path, format!("{SECRET}\ntest-key-a label={SECRET}\n")).unwrap();
    text(&pool.reload().unwrap_err());
    assert_eq!(pool.stats().total(), 1);
}

#[test]
fn a_key_in_place_of_a_file_or_a_variable_is_not_repeated() {
    let no_file = Balancer::builder().keys_file(SECRET).build().unwrap_err();
    assert!(text(&no_file).starts_with("keys file … does not exist"), "{no_file}");
    let Error::KeysFile(no_file) = no_file else { panic!("{no_file}") };
    assert!(!format!("{no_file:#?}").contains(&SECRET[4..14]));
    let no_variable = refused(Balancer::builder().keys_env(SECRET));
    assert!(no_variable.starts_with("the environment variable … is not set"), "{no_variable}");
}

#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_the_keys_file_is_refused_and_the_keys_stay() {
    let (_dir, path) = file("test-key-a\n");
    let balancer = Balancer::builder().keys_file(&path).build().unwrap();
    fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let said = text(&balancer.reload().unwrap_err());
    assert!(said.contains("is no regular file"), "{said}");
    assert_eq!(balancer.stats().total(), 1);
}

#[test]
fn an_environment_variable_that_is_not_set_is_named() {
    let refused = refused(Balancer::builder().keys_env("EGB_TEST_VARIABLE_THAT_NOBODY_SETS"));
    assert!(refused.contains("EGB_TEST_VARIABLE_THAT_NOBODY_SETS"), "{refused}");
}

#[test]
fn a_reload_follows_the_file_and_a_broken_file_changes_nothing() {
    let (_dir, path) = file("test-key-a\ntest-key-b\n");
    let balancer = Balancer::builder().keys_file(&path).build().unwrap();
    fs::write(&path, "test-key-b:3\ntest-key-c\n").unwrap();
    let reloaded = balancer.reload().unwrap();
    assert_eq!((reloaded.added, reloaded.removed, reloaded.changed), (1, 1, 1));
    fs::write(&path, "test-key-b:x\n").unwrap();
    text(&balancer.reload().unwrap_err());
    fs::remove_file(&path).unwrap();
    text(&balancer.reload().unwrap_err());
    assert_eq!(balancer.stats().total(), 2);
}

#[test]
fn names_are_registered_once_and_unknown_ones_are_answered_with_those_there_are() {
    let build = || Balancer::builder().key("test-key-a").build().unwrap();
    let guard = egb::register("one of its kind", build()).unwrap();
    assert!(text(&egb::register("one of its kind", build()).unwrap_err()).contains("already"));
    assert!(text(&egb::get("another").unwrap_err()).contains("one of its kind"));
    egb::get("one of its kind").unwrap().key().unwrap();
    assert_eq!(guard.balancer().stats().calls(), 1);
}

#[test]
fn a_key_that_is_not_in_the_pool_is_named_by_its_fingerprint() {
    let balancer = Balancer::builder().key("test-key-a").build().unwrap();
    let error = balancer.enable(&SECRET.into()).unwrap_err();
    assert!(text(&error).contains(&egb::Key::from(SECRET).fingerprint().to_string()));
}
