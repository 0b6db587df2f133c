//! The command `egb` on the database of a program that runs: what it changes is in force there within a second.

use std::process::Command;
use std::time::{Duration, Instant};

use egb_tests::program::Program;
use egb_tests::{Egb, obedient_key};

/// The promise.
const WITHIN: Duration = Duration::from_secs(1);

/// A program with the keys a, b, c, and the command beside it.
fn beside_a_program() -> (Egb, Program) {
    let egb = Egb::new(env!("CARGO_BIN_EXE_egb_command"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_obedient"));
    let program = Program::start(command.arg(egb.db())).expect("the program starts");
    (egb, program)
}

fn fingerprint(label: &str) -> String {
    egb::Key::from(obedient_key(label)).fingerprint().to_string()
}

/// The keys that the program uses, until they are as expected. Fails when that takes longer than promised, which is
/// twice as long where others build at the same time.
fn uses_soon(program: &mut Program, expected: &str) {
    let start = Instant::now();
    loop {
        let used = program.tell("use 30");
        if used == expected {
            break;
        }
        let late = start.elapsed();
        assert!(late < 2 * WITHIN, "after {late:?} the program uses {used}, not {expected}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_key_that_is_disabled_is_used_no_more_within_a_second() {
    let (egb, mut program) = beside_a_program();
    assert_eq!(program.tell("use 9"), "a b c");
    program.tell("flush");
    egb.run(&["disable", &fingerprint("b")]).fine();
    uses_soon(&mut program, "a c");
    assert_eq!(program.tell("use 100"), "a c", "and it stays out");
    egb.run(&["enable", &fingerprint("b")]).fine();
    uses_soon(&mut program, "a b c");
}

#[test]
fn a_reset_puts_back_what_failed() {
    let (egb, mut program) = beside_a_program();
    program.tell("use 9");
    program.tell("revoke a");
    program.tell("throttle c 3600");
    program.tell("flush");
    assert_eq!(program.tell("use 10"), "b");
    egb.run(&["reset", &fingerprint("c")]).fine();
    uses_soon(&mut program, "b c");
    egb.run(&["reset", "--yes"]).fine();
    uses_soon(&mut program, "a b c");
}

#[test]
fn keys_that_are_added_and_removed_come_and_go() {
    let (egb, mut program) = beside_a_program();
    program.tell("use 9");
    assert_eq!(egb.run_with(&["add", "-", "--label", "new"], "an-added-key_d").code, 0);
    uses_soon(&mut program, "a b c d");
    egb.write("more.txt", "an-added-key_e\nan-added-key_f\n");
    assert_eq!(egb.run(&["import", "more.txt"]).code, 0);
    uses_soon(&mut program, "a b c d e f");
    egb.run(&["remove", "new"]).fine();
    uses_soon(&mut program, "a b c e f");
    // What the program still has to say of it does not bring it back.
    program.tell("flush");
    let list = egb.run(&["list", "--json"]).json();
    assert_eq!(list["total"], 5);
}

#[test]
fn a_weight_is_in_force() {
    let (egb, mut program) = beside_a_program();
    assert_eq!(egb.run_with(&["add", "-", "--label", "new"], "an-added-key_d").code, 0);
    uses_soon(&mut program, "a b c d");
    egb.run(&["weight", "new", "1000"]).fine();
    let start = Instant::now();
    while program.tell("use 3") != "d" {
        assert!(start.elapsed() < 2 * WITHIN, "the others are used as before");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_the_program_does_is_seen_while_it_runs() {
    let (egb, mut program) = beside_a_program();
    program.tell("use 9");
    program.tell("throttle c 3600");
    program.tell("flush");
    let stats = egb.run(&["stats", "--json"]).json();
    assert_eq!((&stats["calls"], &stats["throttled"]), (&10.into(), &1.into()));
    assert_eq!(stats["keys"]["cooling_down"], 1);
    assert!(egb.run(&["db"]).fine().contains("intact"));
    egb.run(&["db", "--vacuum"]).fine();
    egb.run(&["db", "--backup", "copy.db"]).fine();
    assert_eq!(program.tell("use 10"), "a b", "none of it disturbs the program");
    program.tell("flush");
    assert_eq!(egb.run(&["stats", "--json"]).json()["calls"], 20);
}
