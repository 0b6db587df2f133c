//! A program that is killed at random moments, time and again, on one database: what it was told is on disk is there, its
//! counts are at most a moment behind, and nothing is counted twice.
//!
//! `EGB_KILLS=5000 cargo test -p egb-tests --test kills -- --nocapture` is the long mode.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};
use std::{env, fs};

use egb::{Balancer, KeyState, Stats};
use egb_tests::{KILLED_KEYS, killed_key};

/// What may be missing of the counts: so much by egb's own doing, measured where the program lived long enough,
const PROMISED: Duration = Duration::from_millis(250);
/// and so much on a machine that has other things to do.
const BEHIND: Duration = Duration::from_secs(2);

/// Most programs die young, some of them in the making of the database; every so many live for so long.
const LONG_LIFE_EVERY: u64 = 12;
const LONG_LIFE: Duration = Duration::from_millis(2_500);

/// Then a new one is begun, as most keys of the old one are disabled.
const KILLS_OF_ONE_DATABASE: usize = 250;

fn kills() -> u64 {
    env::var("EGB_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(200)
}

/// A pseudorandom number (`SplitMix64`).
fn random(round: u64) -> u64 {
    let mut bits = round.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits ^ (bits >> 27)
}

fn read(books: &Path, name: &str) -> String {
    fs::read_to_string(books.with_extension(name)).unwrap_or_default()
}

fn stats(db: &Path) -> Stats {
    Balancer::builder().keys((0..KILLED_KEYS).map(killed_key)).db(db).build().unwrap().stats()
}

fn millis(time: SystemTime) -> u128 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()
}

/// How many calls had ended when: milliseconds since 1970, and their number.
fn notes(books: &Path) -> Vec<(u128, u64)> {
    let text = read(books, "ended");
    // The last line may be broken off.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let notes = whole.lines().filter_map(|line| line.split_once(' '));
    notes.map(|(at, count)| (at.parse().unwrap(), count.parse().unwrap())).collect()
}

/// Calls that had ended for so long that they have to be counted.
fn settled(notes: &[(u128, u64)], killed: SystemTime) -> u64 {
    notes.iter().take_while(|(at, _)| *at <= millis(killed - BEHIND)).last().map_or(0, |(_, count)| *count)
}

/// For how long calls had ended, at most, that are not counted.
fn behind(notes: &[(u128, u64)], counted: u64, killed: SystemTime) -> Duration {
    let first_missing = notes.iter().find(|(_, count)| *count > counted).map_or(millis(killed), |(at, _)| *at);
    Duration::from_millis(u64::try_from(millis(killed).saturating_sub(first_missing)).unwrap())
}

#[test]
fn a_program_that_is_killed_loses_no_disablement_and_counts_nothing_twice() {
    for first in (0..kills()).step_by(KILLS_OF_ONE_DATABASE) {
        kill_again_and_again(first..kills().min(first + KILLS_OF_ONE_DATABASE as u64));
    }
}

fn kill_again_and_again(rounds: Range<u64>) {
    let folder = egb_tests::tempdir().unwrap();
    let db = folder.path().join("keys.db");
    let (mut disabled, mut counted, mut begun_before): (HashSet<String>, u64, u64) = (HashSet::new(), 0, 0);
    let mut delays = Vec::new();
    for round in rounds.clone() {
        let books = folder.path().join(format!("books-{round}"));
        let mut program = Command::new(env!("CARGO_BIN_EXE_until_killed"));
        let mut program = program.arg(&db).arg(&books).stderr(Stdio::null()).spawn().unwrap();
        let lives_long = round % LONG_LIFE_EVERY == LONG_LIFE_EVERY - 1;
        thread::sleep(if lives_long { LONG_LIFE } else { Duration::from_millis(random(round) % 90) });
        assert_eq!(program.try_wait().unwrap(), None, "it ended by itself");
        let killed = SystemTime::now();
        program.kill().unwrap();
        program.wait().unwrap();
        begun_before += read(&books, "begun").len() as u64;
        disabled.extend(read(&books, "disabled").lines().filter(|name| name.len() == 32).map(str::to_owned));
        if !db.exists() {
            continue;
        }
        let after = stats(&db);
        let now = after.uses();
        assert!(now <= begun_before, "round {round}: {now} counted of {begun_before} that were begun");
        let notes = notes(&books);
        let least = counted + settled(&notes, killed);
        assert!(now >= least, "round {round}: {now} counted of {least}");
        if lives_long {
            delays.push(behind(&notes, now - counted, killed));
        }
        counted = now;
        let found: HashSet<String> = after
            .keys
            .iter()
            .filter(|key| key.state == KeyState::Disabled)
            .map(|key| key.fingerprint.to_string())
            .collect();
        assert!(found.is_superset(&disabled), "round {round}: {} of {} disablements", found.len(), disabled.len());
        let check: String =
            rusqlite::Connection::open(&db).unwrap().query_one("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok", "round {round}");
        for name in ["begun", "ended", "disabled"] {
            let _ = fs::remove_file(books.with_extension(name));
        }
    }
    delays.sort_unstable();
    println!(
        "kills {rounds:?}: {counted} of {begun_before} calls counted, {} disablements, counts behind by {delays:?}",
        disabled.len()
    );
    assert!(delays.first().is_none_or(|shortest| *shortest <= PROMISED), "{delays:?}");
    assert!(rounds.end - rounds.start < 100 || (counted > 1_000 && disabled.len() > 20), "{counted} calls");
}
