//! A database whose ground fails while it is in use: calls go on, nothing is lost, and writes resume.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;

use egb::{Balancer, Error, Key, KeyState, StoreErrorKind};
use egb_tests::obedient_key;
use egb_tests::program::Program;

fn keys() -> [String; 3] {
    ["a", "b", "c"].map(obedient_key)
}

fn open(db: &Path) -> Balancer {
    Balancer::builder().keys(keys()).db(db).build().unwrap()
}

fn calls(balancer: &Balancer, number: usize) {
    (0..number).for_each(|_| balancer.lease().unwrap().success());
}

/// A script with a mount namespace of its own.
fn in_namespace(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command
}

/// A program in a mount namespace of its own, with its database on a small disk in memory. `None` where the system
/// allows none: then there is nothing to be seen here.
fn on_a_small_disk(dir: &Path) -> Option<Program> {
    let script = r#"mount -t tmpfs -o size=512k,mode=700 egb "$1" && exec "$2" "$1/keys.db""#;
    let program = Program::start(in_namespace(script).arg(dir).arg(env!("CARGO_BIN_EXE_obedient")));
    if program.is_none() {
        eprintln!("no mount namespace here: a full disk is not tried");
    }
    program
}

#[test]
fn on_a_full_disk_calls_go_on_and_writes_resume_when_there_is_room() {
    let dir = egb_tests::tempdir().unwrap();
    let Some(mut program) = on_a_small_disk(dir.path()) else { return };
    assert_eq!(program.tell("use 30"), "a b c");
    assert_eq!(program.tell("flush"), "done");
    let here = dir.path().display();
    // As much as fits.
    program.tell(&format!("sh cat /dev/zero > {here}/ballast 2>/dev/null"));
    assert_eq!(program.tell("use 30"), "a b c");
    assert_eq!(program.tell("revoke a"), "done", "it is in force, and the log says that it is not on disk");
    assert_eq!(program.tell("use 30"), "b c");
    let refused = program.tell("flush");
    assert!(refused.contains("full") && refused.contains("has room"), "{refused}");
    assert!(program.tell("add d").contains("full"));
    assert_eq!(program.tell("use 30"), "b c", "what can't be stored is not added");

    program.tell(&format!("sh rm {here}/ballast"));
    assert_eq!(program.tell("flush"), "done");
    assert_eq!(program.tell("add d"), "done");
    assert_eq!(program.tell("use 30"), "b c d");
    assert_eq!(program.tell("flush"), "done");
    // What another program would find.
    let copy = egb_tests::tempdir().unwrap();
    assert!(program.tell(&format!("sh cp {here}/keys.db* {}", copy.path().display())).contains("exit status: 0"));
    let stats = open(&copy.path().join("keys.db")).stats();
    // 150 calls, and that of the report.
    assert_eq!((stats.successes(), stats.failures(), stats.total()), (150, 1, 4));
    assert_eq!(stats.keys[0].state, KeyState::Disabled);
}

#[test]
fn a_read_only_disk_is_told_at_the_start_and_left_as_it_is() {
    let (dir, made) = (egb_tests::tempdir().unwrap(), egb_tests::tempdir().unwrap());
    calls(&open(&made.path().join("keys.db")), 1);
    let script =
        r#"mount -t tmpfs egb "$1" && cp "$3"/* "$1" && mount -o remount,ro "$1" && echo mounted && "$2" "$1/$4""#;
    for (name, part) in [("keys.db", "can't use the database"), ("other.db", "Read-only file system")] {
        let mut command = in_namespace(script);
        command.arg(dir.path()).arg(env!("CARGO_BIN_EXE_obedient")).arg(made.path()).arg(name);
        let Ok(output) = command.output() else { return };
        if output.stdout != b"mounted\n" {
            eprintln!("no mount namespace here: a read-only disk is not tried");
            return;
        }
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(part) && said.contains("may be written"), "{said}");
    }
}

#[test]
fn a_database_that_is_moved_away_and_back_loses_nothing() {
    let dir = egb_tests::tempdir().unwrap();
    let (db, away) = (dir.path().join("keys.db"), dir.path().join("away"));
    fs::create_dir(&away).unwrap();
    let balancer = open(&db);
    calls(&balancer, 10);
    balancer.flush().unwrap();
    let files = || fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file());
    for file in files() {
        fs::rename(&file, away.join(file.file_name().unwrap())).unwrap();
    }
    calls(&balancer, 10);
    balancer.report(&Key::from(obedient_key("a")), 401);
    let Err(Error::Store(error)) = balancer.flush() else { panic!("the file is not there") };
    assert!(matches!(error.kind(), StoreErrorKind::Moved), "{error}");
    assert_eq!(files().count(), 0, "no new database in its place");
    calls(&balancer, 10);
    for file in fs::read_dir(&away).unwrap().map(|file| file.unwrap().path()) {
        fs::rename(&file, dir.path().join(file.file_name().unwrap())).unwrap();
    }
    balancer.flush().unwrap();
    drop(balancer);
    let stats = open(&db).stats();
    assert_eq!((stats.successes(), stats.failures(), stats.keys[0].state), (30, 1, KeyState::Disabled));
}

#[test]
fn a_new_database_in_the_place_of_the_open_one_gets_all_that_is_known() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let balancer = open(&db);
    calls(&balancer, 10);
    balancer.report(&Key::from(obedient_key("a")), 401);
    for file in fs::read_dir(dir.path()).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    calls(&balancer, 1);
    assert!(balancer.flush().is_err());
    // Somebody else begins a new one.
    let other = open(&db);
    balancer.flush().unwrap();
    assert_eq!(balancer.stats().keys[0].state, KeyState::Disabled);
    drop(other);
    drop(balancer);
    assert_eq!(open(&db).stats().keys[0].state, KeyState::Disabled);
}
