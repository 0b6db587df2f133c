//! Programs that end, one way or another: what they leave on disk.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use egb::{Balancer, KeyState};

fn one_call(db: &Path, ending: &str) {
    let ended = Command::new(env!("CARGO_BIN_EXE_one_call")).arg(db).arg(ending).output().unwrap();
    assert_eq!(ended.status.success(), ending != "panic", "{ended:?}");
}

fn successes(db: &Path) -> u64 {
    Balancer::builder().key("AIzaSyFAKE_one_call_0123456789abcdef").db(db).build().unwrap().stats().successes()
}

#[test]
fn a_program_that_makes_one_call_and_returns_has_its_state_on_disk() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let endings =
        ["return", "guard-forgotten", "guard-dropped-early", "exit", "panic", "runtime-dropped", "runtime-left-behind"];
    for (run, ending) in endings.into_iter().enumerate() {
        one_call(&db, ending);
        assert_eq!(successes(&db), run as u64 + 1, "after a program that ends by {ending}");
    }
}

#[test]
fn a_killed_program_leaves_an_intact_database_with_every_disablement() {
    for lines in [1, 7, 20, 40] {
        let dir = egb_tests::tempdir().unwrap();
        let db = dir.path().join("keys.db");
        let mut child = Command::new(env!("CARGO_BIN_EXE_many_calls")).arg(&db).stdout(Stdio::piped()).spawn().unwrap();
        let reader = BufReader::new(child.stdout.take().unwrap());
        let mut disabled: HashSet<String> = HashSet::new();
        for line in reader.lines().take(lines) {
            disabled.insert(line.unwrap());
        }
        assert_eq!(disabled.len(), lines, "the program ended too early");
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "the program was not killed on the way");

        let check: String =
            rusqlite::Connection::open(&db).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");

        let keys = (0..2_000).map(|n| format!("AIzaSyFAKE_many_calls_{n:04}_0123456789"));
        let stats = Balancer::builder().keys(keys).db(&db).build().unwrap().stats();
        let found: HashSet<String> = stats
            .keys
            .iter()
            .filter(|key| key.state == KeyState::Disabled)
            .map(|key| key.fingerprint.to_string())
            .collect();
        assert!(found.is_superset(&disabled), "{} of {} disablements are there", found.len(), disabled.len());
        assert!(stats.calls() <= 100_000);
    }
}

#[test]
fn counts_of_programs_that_run_at_the_same_time_add_up() {
    const CALLS: u64 = 4_000;
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let start = || Command::new(env!("CARGO_BIN_EXE_worker")).arg(&db).arg(CALLS.to_string()).spawn().unwrap();
    for round in 1..=2 {
        let running: Vec<_> = (0..4).map(|_| start()).collect();
        for mut program in running {
            assert!(program.wait().unwrap().success());
        }
        let keys = (0..20).map(|n| format!("AIzaSyFAKE_shared_{n:02}_0123456789abc"));
        let stats = Balancer::builder().keys(keys).db(&db).build().unwrap().stats();
        let all = round * 4 * CALLS;
        assert_eq!((stats.calls(), stats.successes(), stats.failures()), (all, all / 10 * 9, all / 10));
    }
}
