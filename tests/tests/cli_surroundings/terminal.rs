//! What it prints goes to no terminal, or to a reader that goes away.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use egb_tests::Egb;

use super::{egb, three_keys};

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
