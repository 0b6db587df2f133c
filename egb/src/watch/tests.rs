//! Look by look, with what is told of it.

use std::fmt::{self, Write};
use std::fs;
use std::path::PathBuf;

use parking_lot::Mutex;
use tempfile::TempDir;
use tracing::field::{Field, Visit};
use tracing::{Metadata, Subscriber, span};

use super::*;
use crate::Balancer;
use crate::clock::{Clock, ManualClock};
use crate::test_log::heard;

const LATE: Duration = Duration::from_secs(3600);

struct Bench {
    clock: ManualClock,
    balancer: Balancer,
    watch: Watch,
    file: PathBuf,
    told: Told,
    _folder: TempDir,
}

/// A watch without its thread, of a file that is an hour old.
fn bench(text: &str) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.txt");
    fs::write(&file, text).unwrap();
    let clock = ManualClock::new();
    clock.advance(LATE);
    let balancer = Balancer::builder().keys_file(&file).clock(clock.clone()).build().unwrap();
    let intake = balancer.intake();
    let first = FirstLook::at(intake.files(), clock.utc());
    assert!(first.0.is_some());
    let watch = Watch::new(intake, first);
    Bench { clock, balancer, watch, file, told: Told::default(), _folder: folder }
}

impl Bench {
    fn look(&mut self, times: usize) {
        for _ in 0..times {
            self.clock.advance(INTERVAL);
            heard(self.told.clone(), || self.watch.look());
        }
    }

    fn write(&self, text: &str) {
        fs::write(&self.file, text).unwrap();
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.0.lock())
    }
}

/// What is told, but for single keys.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Subscriber for Told {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        ["keys_reloaded", "reload_refused"].contains(&metadata.name())
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(event.metadata().name().to_owned());
        event.record(&mut line);
        self.0.lock().push(line.0);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !["event", "message"].contains(&field.name()) {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }
}

#[test]
fn a_reload_is_told_once_and_with_what_it_changed() {
    let mut bench = bench("a-key\nanother-key\n");
    bench.look(5);
    assert_eq!(bench.told(), [""; 0]);
    bench.write("another-key:2\na-third-key\n");
    bench.look(2);
    assert_eq!(bench.told(), [""; 0], "it may not be complete yet");
    bench.look(5);
    assert_eq!(bench.told(), ["keys_reloaded added=1 removed=1 changed=1"]);
    bench.write("another-key:2\na-third-key # the new one\n");
    bench.look(5);
    assert_eq!(bench.told(), [""; 0], "the keys are the same");
}

#[test]
fn a_refusal_is_told_once_with_file_and_line_and_without_a_key() {
    let mut bench = bench("a-key\n");
    bench.write("a-key\nAIzaSyFAKE_broken:0\n");
    bench.look(60);
    let told = bench.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("reload_refused error="), "{told:?}");
    assert!(told[0].contains("keys.txt") && told[0].contains("line 2"), "{told:?}");
    assert!(!told[0].contains("broken"), "{told:?}");
    // Another fault is told, too, and so is the end of it, though the keys are what they were.
    bench.write("\n");
    bench.look(60);
    let told = bench.told();
    assert!(told.len() == 1 && told[0].contains("holds no key"), "{told:?}");
    bench.write("a-key\n");
    bench.look(60);
    assert_eq!(bench.told(), ["keys_reloaded added=0 removed=0 changed=0"]);
}

#[test]
fn a_missing_file_is_told_once_and_tried_again_now_and_then() {
    let mut bench = bench("a-key\n");
    fs::remove_file(&bench.file).unwrap();
    bench.look(100);
    let told = bench.told();
    assert!(told.len() == 1 && told[0].contains("does not exist"), "{told:?}");
    assert_eq!(bench.watch.read, None);
    assert!(bench.watch.since > bench.balancer.pool().now(), "not at each look");
}

#[test]
fn a_file_as_young_as_the_reading_is_read_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.txt");
    fs::write(&file, "a-key\n").unwrap();
    let clock = ManualClock::at(fs::metadata(&file).unwrap().modified().unwrap());
    let balancer = Balancer::builder().keys_file(&file).clock(clock.clone()).build().unwrap();
    let intake = balancer.intake();
    let first = FirstLook::at(intake.files(), clock.utc());
    assert_eq!(first.0, None);
    let watch = Watch::new(intake, first);
    // A change whose stamp says nothing.
    fs::write(&file, "b-key\n").unwrap();
    let mut bench = Bench { clock, balancer, watch, file, told: Told::default(), _folder: folder };
    bench.look(3);
    assert_eq!(bench.told(), ["keys_reloaded added=1 removed=1 changed=0"]);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_read_again() {
    let bench = bench("a-key\n");
    bench.write("b-key\n");
    assert!(matches!(bench.watch.intake.reload_while(|| false), Ok(None)));
    assert_eq!(bench.balancer.key().unwrap().expose_secret(), "a-key");
    bench.write("b-key:nan\n");
    assert!(matches!(bench.watch.intake.reload_while(|| false), Ok(None)), "what is wrong with it may be mended");
}

#[test]
fn a_file_of_the_last_time_there_is_is_not_old() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let stamp = Stamp::of(&file.as_file().metadata().unwrap());
    let made = stamp.modified.unwrap();
    assert!(stamp.is_old(made + 3 * COARSEST) && !stamp.is_old(made));
    let last = (0..64)
        .rev()
        .fold(SystemTime::UNIX_EPOCH, |time, bit| time.checked_add(Duration::from_secs(1 << bit)).unwrap_or(time));
    assert!(!Stamp { modified: Some(last), ..stamp }.is_old(made));
}
