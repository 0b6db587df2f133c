//! Keys files that change while a balancer runs, and are read again.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use egb::{Balancer, BalancerBuilder, EventKind, Key, KeyConfig, KeyState, ManualClock};
use egb_tests::{Scratch, eventually, tempdir};

const INTERVAL: Duration = Duration::from_millis(500);

/// A balancer that watches a file, on a clock that a test moves.
struct Watched {
    clock: ManualClock,
    balancer: Balancer,
    file: PathBuf,
    folder: Scratch,
}

fn watched(text: &str) -> Watched {
    watched_with(text, |builder, _| builder)
}

fn watched_with(text: &str, set: impl FnOnce(BalancerBuilder, &Path) -> BalancerBuilder) -> Watched {
    let folder = tempdir().unwrap();
    let file = folder.path().join("keys.txt");
    fs::write(&file, text).unwrap();
    watch(folder, file, set)
}

fn watch(folder: Scratch, file: PathBuf, set: impl FnOnce(BalancerBuilder, &Path) -> BalancerBuilder) -> Watched {
    let clock = ManualClock::new();
    let builder = Balancer::builder().keys_file(&file).watch(true).clock(clock.clone());
    let balancer = set(builder, folder.path()).build().unwrap();
    Watched { clock, balancer, file, folder }
}

impl Watched {
    /// Lets the watch look once, and waits until it has.
    fn look(&self) {
        self.settle();
        self.clock.advance(INTERVAL);
        self.settle();
    }

    fn settle(&self) {
        eventually("the sleep of the watch", || self.clock.sleepers() == 1);
    }

    /// Looks until a change that nothing follows is taken in: once to see it, and for a second to see it stay.
    fn pass(&self) {
        (0..3).for_each(|_| self.look());
    }

    fn write(&self, text: &str) {
        fs::write(&self.file, text).unwrap();
    }

    fn labels(&self) -> Vec<String> {
        self.balancer.stats().keys.into_iter().map(|key| key.label.unwrap_or_default()).collect()
    }
}

fn line(label: &str) -> String {
    format!("test-key-{label}-0123456789 label={label}\n")
}

fn key(label: &str) -> Key {
    Key::from(format!("test-key-{label}-0123456789"))
}

#[test]
fn a_file_that_changed_is_read_again_and_keys_that_stay_keep_their_state() {
    let watched = watched(&(line("a") + &line("b")));
    let mut events = watched.balancer.subscribe();
    watched.balancer.report(&key("b"), 401);
    events.try_next().unwrap().unwrap();
    watched.write(&(line("b") + &line("c")));
    watched.pass();
    assert_eq!(watched.labels(), ["b", "c"]);
    assert_eq!(watched.balancer.stats().keys[0].state, KeyState::Disabled);
    let told: Vec<_> = std::iter::from_fn(|| events.try_next().unwrap()).map(|event| event.kind).collect();
    assert_eq!(told, [EventKind::Removed, EventKind::Added]);
    watched.write(&line("b").replace(" label", ":5 label"));
    watched.pass();
    assert_eq!(watched.balancer.stats().keys[0].health.weight(), 5.0);
}

#[test]
fn what_is_not_asked_for_is_not_watched() {
    let clock = ManualClock::new();
    let folder = tempdir().unwrap();
    let file = folder.path().join("keys.txt");
    fs::write(&file, line("a")).unwrap();
    let builder = || Balancer::builder().clock(clock.clone());
    let _unwatched = builder().keys_file(&file).build().unwrap();
    let _no_file = builder().key("test-key-a").watch(true).build().unwrap();
    let watched = builder().keys_file(&file).watch(true).build().unwrap();
    eventually("the sleep of the watch", || clock.sleepers() == 1);
    drop(watched);
    eventually("the end of the watch", || clock.sleepers() == 0);
}

#[test]
fn a_broken_an_empty_or_a_missing_file_keeps_the_old_keys_until_it_is_mended() {
    let watched = watched(&line("a"));
    for broken in [Some("test-key-b:nan\n"), None, Some(""), Some("# nothing\n"), Some("\u{FEFF}two words here\n")] {
        match broken {
            Some(text) => watched.write(text),
            None => fs::remove_file(&watched.file).unwrap(),
        }
        (0..4).for_each(|_| watched.pass());
        assert_eq!(watched.labels(), ["a"], "{broken:?}");
    }
    watched.write(&line("b"));
    watched.pass();
    assert_eq!(watched.labels(), ["b"]);
}

#[test]
fn a_file_that_is_still_being_written_is_not_taken_in() {
    let watched = watched(&line("a"));
    let text = line("b") + &line("c") + &line("d");
    let mut file = OpenOptions::new().write(true).truncate(true).open(&watched.file).unwrap();
    for part in text.as_bytes().chunks(7) {
        file.write_all(part).unwrap();
        // It pauses for as long as it may.
        watched.look();
        watched.look();
        assert_eq!(watched.labels(), ["a"]);
    }
    drop(file);
    watched.pass();
    assert_eq!(watched.labels(), ["b", "c", "d"]);
}

#[test]
fn editors_that_replace_the_file_are_followed() {
    let watched = watched(&line("a"));
    for label in ["b", "c"] {
        let new = watched.folder.path().join("new.txt");
        fs::write(&new, line(label)).unwrap();
        // Nothing but the file itself tells them apart.
        let time = fs::metadata(&watched.file).unwrap().modified().unwrap();
        OpenOptions::new().write(true).open(&new).unwrap().set_modified(time).unwrap();
        fs::rename(&new, &watched.file).unwrap();
        watched.pass();
        assert_eq!(watched.labels(), [label]);
    }
    // Others move the old one away first.
    fs::rename(&watched.file, watched.folder.path().join("old.txt")).unwrap();
    watched.look();
    watched.write(&line("d"));
    watched.pass();
    assert_eq!(watched.labels(), ["d"]);
}

/// `keys.txt` leads to `..data/keys.txt`, and `..data` to a folder that is made anew for each change.
#[cfg(unix)]
#[test]
fn links_that_lead_elsewhere_all_at_once_are_followed() {
    use std::os::unix::fs::symlink;
    let folder = tempdir().unwrap();
    let root = folder.path().to_owned();
    let publish = |version: &str, text: &str| {
        fs::create_dir(root.join(version)).unwrap();
        fs::write(root.join(version).join("keys.txt"), text).unwrap();
        symlink(version, root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    };
    publish("..one", &line("a"));
    let file = root.join("keys.txt");
    symlink("..data/keys.txt", &file).unwrap();
    let watched = watch(folder, file, |builder, _| builder);
    publish("..two", &line("b"));
    fs::remove_dir_all(root.join("..one")).unwrap();
    watched.pass();
    assert_eq!(watched.labels(), ["b"]);
}

#[test]
fn a_file_that_can_not_be_reached_for_a_while_is_read_when_it_is_back() {
    let watched = watched(&line("a"));
    let away = watched.folder.path().join("away.txt");
    watched.write(&line("b"));
    fs::rename(&watched.file, &away).unwrap();
    (0..4).for_each(|_| watched.pass());
    assert_eq!(watched.labels(), ["a"]);
    fs::rename(&away, &watched.file).unwrap();
    watched.pass();
    assert_eq!(watched.labels(), ["b"]);
}

#[test]
fn with_a_database_added_keys_stay_and_what_the_file_says_prevails() {
    let watched = watched_with(&line("a"), |builder, folder| builder.db(folder.join("keys.db")));
    let added = |label: &str| KeyConfig::new(format!("an-added-key-{label}")).label(label);
    watched.balancer.add(added("x")).unwrap();
    watched.write(&(line("b") + "an-added-key-x:3 label=file\n"));
    watched.pass();
    assert_eq!(watched.labels(), ["b", "file"]);
    watched.write("");
    watched.pass();
    assert_eq!(watched.labels(), ["b", "file"], "an empty file is refused though the database holds keys");
    watched.write(&line("b"));
    watched.pass();
    assert_eq!(watched.labels(), ["b", "x"]);
    // What a reload changed is on disk soon, and no key of the file is.
    watched.balancer.report(&key("b"), 401);
    // Of another length: a file system may give it the time of the write before.
    watched.write(&(line("a") + "# alone\n"));
    watched.pass();
    watched.write(&(line("a") + &line("b")));
    watched.pass();
    assert_eq!(watched.labels(), ["a", "b", "x"]);
    let is_enabled = || {
        let other = Balancer::builder().key(key("b")).db(watched.folder.path().join("keys.db")).build().unwrap();
        other.stats().keys[0].state == KeyState::Available
    };
    eventually("the return of the key on disk", is_enabled);
}

#[test]
fn several_files_are_watched_and_one_broken_one_keeps_all() {
    let watched = watched_with(&line("a"), |builder, folder| {
        fs::write(folder.join("more.txt"), line("x")).unwrap();
        builder.keys_file(folder.join("more.txt"))
    });
    let more = watched.folder.path().join("more.txt");
    fs::write(&more, line("y")).unwrap();
    watched.pass();
    assert_eq!(watched.labels(), ["a", "y"]);
    // One key with two weights.
    watched.write(&(line("b") + "test-key-z:2 label=z\n"));
    fs::write(&more, "test-key-z label=z\n").unwrap();
    watched.pass();
    assert_eq!(watched.labels(), ["a", "y"]);
    fs::write(&more, line("y")).unwrap();
    watched.pass();
    assert_eq!(watched.labels(), ["b", "z", "y"]);
}

/// The same on real time, as a program has it.
#[test]
fn it_takes_two_seconds_on_the_clock_of_the_system() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("keys.txt");
    fs::write(&file, line("a")).unwrap();
    let balancer = Balancer::builder().keys_file(&file).watch(true).build().unwrap();
    fs::write(&file, line("b")).unwrap();
    eventually("the reload", || balancer.stats().keys[0].label.as_deref() == Some("b"));
}
