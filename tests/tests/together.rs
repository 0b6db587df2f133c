//! Programs that run on one database: what one is told acts in all within a second, and none holds up the others.
#![cfg(unix)]

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use egb::Balancer;
use egb_tests::obedient_key;
use egb_tests::program::Program;

const PROMISED: Duration = Duration::from_secs(1);

fn start(db: &Path) -> Program {
    Program::start(Command::new(env!("CARGO_BIN_EXE_obedient")).arg(db)).expect("it starts")
}

/// One program is given an order; soon the others use these keys.
fn acts_in_all(programs: &mut [Program], order: &str, used: &str) {
    assert_eq!(programs[0].tell(order), "done", "{order}");
    let start = Instant::now();
    for program in programs.iter_mut() {
        while program.tell("use 20") != used {
            // Twice as long where others build, or write to the disk, at the same time.
            assert!(start.elapsed() < 2 * PROMISED, "{order}: {} and not {used}", program.tell("use 20"));
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn what_one_program_is_told_acts_in_all_within_a_second() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let mut programs: Vec<_> = (0..3).map(|_| start(&db)).collect();
    let orders = [
        ("disable a", "b c"),
        ("throttle b 3600", "c"),
        ("reset", "a b c"),
        ("revoke c", "a b"),
        ("add d", "a b d"),
        ("disable d", "a b"),
        ("enable c", "a b c"),
        ("enable d", "a b c d"),
        ("remove d", "a b c"),
        // It comes back enabled.
        ("add d", "a b c d"),
        ("disable d", "a b c"),
        ("remove d", "a b c"),
        ("add d", "a b c d"),
    ];
    for (turn, (order, used)) in orders.into_iter().enumerate() {
        // Each order comes from another program.
        programs.rotate_left(turn % 2 + 1);
        acts_in_all(&mut programs, order, used);
    }
    assert!(programs[0].tell("remove a").contains("is given by"), "a key of the program's own");
    assert!(programs[0].tell("remove e").contains("is not in the pool"));
    // A program that starts later finds all of it.
    assert_eq!(start(&db).tell("use 20"), "a b c d");
}

/// A program that is stopped in the middle of a transaction holds the database for as long as it likes.
#[test]
fn a_stopped_program_blocks_no_call_of_the_others() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let balancer = Balancer::builder().keys(["a", "b", "c"].map(obedient_key)).db(&db).build().unwrap();
    let mut calls = 0;
    let mut longest = Duration::ZERO;
    for round in 0..20 {
        let mut program = start(&db);
        // It writes for as long as it makes calls, and is stopped somewhere within.
        program.order("use 200000");
        thread::sleep(Duration::from_millis(100 + 7 * round));
        program.signal("-STOP");
        for _ in 0..1_000 {
            let start = Instant::now();
            balancer.lease().unwrap().success();
            longest = longest.max(start.elapsed());
            calls += 1;
        }
        program.signal("-CONT");
    }
    // Whoever waited for the database waited for 5 seconds.
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    balancer.flush().unwrap();
    assert!(balancer.stats().successes() >= calls);
}

/// The same, with a transaction that is certain to be open.
#[test]
fn a_held_database_blocks_no_call_and_writes_resume_when_it_is_free() {
    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let balancer = Balancer::builder().keys(["a-test-key", "another-test-key"]).db(&db).build().unwrap();
    let other = rusqlite::Connection::open(&db).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; UPDATE revisions SET last = last").unwrap();
    let start = Instant::now();
    for _ in 0..10_000 {
        balancer.lease().unwrap().success();
    }
    // It would be half a minute with each of them waiting for a transaction.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    balancer.flush().unwrap();
    assert_eq!(balancer.stats().successes(), 10_000);
}
