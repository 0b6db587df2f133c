//! Processes that end, by force or without a goodbye, and what they leave on disk. The processes are
//! this test program, told by an environment variable what to do.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{env, io, thread};

use parking_lot::Mutex;

use super::testing::{change, disablement, name};
use super::writer::Timing;
use super::{Change, Journal, Record, Sqlite, Store, Writer};
use crate::config::KeyConfig;

const DATABASE: &str = "EGB_TEST_DATABASE";
const NEVER: Duration = Duration::from_hours(1);

#[derive(Default)]
struct Pending(Mutex<Vec<Change>>);

impl Journal for Pending {
    fn set_added(&self, _: Vec<KeyConfig>) {}
    fn rewrite(&self) {}
    fn drain(&self, batch: &mut Vec<Change>, _: usize) -> bool {
        batch.append(&mut self.0.lock());
        false
    }
    fn committed(&self, _: &[Change]) {}
    fn rejected(&self, _: &[Change]) {}
    fn merge(&self, _: &[Record]) {}
}

/// This program again, running one test of this file on a database.
fn child(test: &str, database: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", &format!("store::crash_tests::{test}"), "--ignored", "--nocapture"]);
    command.env(DATABASE, database);
    command
}

/// In such a child: the database that it was told.
fn database() -> PathBuf {
    env::var_os(DATABASE).expect("run by the tests of this file").into()
}

fn records(database: &Path) -> Vec<Record> {
    Sqlite::open(database).unwrap().load().unwrap()
}

#[test]
#[ignore = "killed by the test below"]
fn disables_one_key_after_the_other() {
    let journal = Arc::new(Pending::default());
    let mut store = Sqlite::open(&database()).unwrap();
    store.load().unwrap();
    // No call goes on before its disablement is on disk.
    let timing = Timing { ack: NEVER, ..Timing::default() };
    let writer = Writer::spawn_with(store, journal.clone(), timing).unwrap();
    // Calls with other keys go on all the time, so that a kill hits transactions of every size.
    thread::spawn({
        let journal = journal.clone();
        move || {
            for turn in 0.. {
                let mut pending = journal.0.lock();
                if pending.len() < 300 {
                    pending.push(change(1_000_000 + turn % 5_000));
                }
                drop(pending);
                thread::yield_now();
            }
        }
    });
    for key in 0.. {
        journal.0.lock().push(disablement(key));
        writer.bell().ring();
        writer.bell().save().wait();
        let mut out = io::stdout().lock();
        writeln!(out, "\ndisabled {key}").unwrap();
        out.flush().unwrap();
    }
}

fn disabled_lines(child: &mut Child) -> impl Iterator<Item = usize> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("disabled ")?.parse().ok())
}

#[test]
fn a_killed_process_leaves_an_intact_database_with_every_disablement_that_was_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("keys.db");
    let mut most = 0;
    for round in 0..20 {
        let mut child = child("disables_one_key_after_the_other", &database).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = disabled_lines(&mut child);
        // Sometimes at once, sometimes deep in it.
        for expected in 0..round * 3 % 20 {
            assert_eq!(lines.next(), Some(expected), "the child ended too early");
        }
        child.kill().unwrap();
        // What it said between the last line read and its end.
        most = most.max(lines.last().map_or(round * 3 % 20, |last| last + 1));
        child.wait().unwrap();

        if !database.exists() {
            continue;
        }
        let records = records(&database);
        let check: String = rusqlite::Connection::open(&database)
            .unwrap()
            .query_one("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok");
        for key in 0..most {
            let record = records.iter().find(|record| record.fingerprint == name(key));
            assert!(record.is_some_and(|record| record.state.health.disabled), "key {key} of {most}");
        }
    }
    assert!(most > 0, "no child got anywhere");
}

/// A writer that never writes unasked, with one change pending, and that nobody drops.
fn left_alone() {
    let journal = Arc::new(Pending(Mutex::new(vec![change(1)])));
    let mut store = Sqlite::open(&database()).unwrap();
    store.load().unwrap();
    let still = Timing { group: NEVER, look: NEVER, ..Timing::default() };
    std::mem::forget(Writer::spawn_with(store, journal, still).unwrap());
}

#[test]
#[ignore = "run by the test below"]
fn returns() {
    left_alone();
}

#[test]
#[ignore = "run by the test below"]
fn exits_on_another_thread() {
    left_alone();
    thread::spawn(|| std::process::exit(0)).join().unwrap();
}

#[test]
#[ignore = "run by the test below"]
fn panics() {
    left_alone();
    panic!("as asked");
}

#[test]
#[ignore = "run by the test below"]
fn exits_on_the_thread_that_writes() {
    struct Exiting;
    impl Journal for Exiting {
        fn set_added(&self, _: Vec<KeyConfig>) {}
        fn rewrite(&self) {}
        fn drain(&self, _: &mut Vec<Change>, _: usize) -> bool {
            std::process::exit(0)
        }
        fn committed(&self, _: &[Change]) {}
        fn rejected(&self, _: &[Change]) {}
        fn merge(&self, _: &[Record]) {}
    }
    let writer = Writer::spawn(Sqlite::open(&database()).unwrap(), Arc::new(Exiting)).unwrap();
    drop(writer);
}

#[test]
#[ignore = "run by the test below"]
fn exits_while_the_disk_hangs() {
    left_alone();
    let other = rusqlite::Connection::open(database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::process::exit(0);
}

#[test]
fn a_process_that_ends_by_itself_has_all_on_disk_though_nobody_flushed() {
    for ending in ["returns", "exits_on_another_thread", "panics"] {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("keys.db");
        let ended = child(ending, &database).output().unwrap();
        assert_eq!(ended.status.success(), ending != "panics", "{ended:?}");
        let records = records(&database);
        assert!(matches!(&records[..], [one] if one.counters.calls == 1), "{ending}: {records:?}");
    }
}

#[test]
fn a_process_that_ends_where_it_can_not_be_waited_for_ends_all_the_same() {
    for ending in ["exits_on_the_thread_that_writes", "exits_while_the_disk_hangs"] {
        let folder = tempfile::tempdir().unwrap();
        let ended = child(ending, &folder.path().join("keys.db")).output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
    }
}
