//! How long a large pool takes. Run in release: `cargo test --release -p egb --lib speed -- --ignored --nocapture`.

use super::*;

const KEYS: usize = 100_000;

#[test]
#[ignore = "a measurement: run it in release"]
fn a_hundred_thousand_keys() {
    let clock = SystemClock::new();
    let timed = |what: &str, limit: Duration, action: &mut dyn FnMut()| {
        let start = clock.monotonic();
        action();
        let taken = clock.monotonic().saturating_sub(start);
        println!("{what}: {taken:?}");
        assert!(taken < limit, "{what} took {taken:?}");
    };
    let ground = Ground::new();
    let changes: Vec<_> = (0..KEYS).map(change).collect();
    let mut store = ground.open();
    let mut other = ground.open();
    timed("save new", Duration::from_secs(1), &mut || store.apply(&changes).unwrap());
    timed("save again", Duration::from_secs(1), &mut || store.apply(&changes).unwrap());
    timed("see all", Duration::from_millis(600), &mut || drop(other.changes_by_others().unwrap()));
    timed("save one", Duration::from_millis(50), &mut || store.apply(&changes[..1]).unwrap());
    timed("see one", Duration::from_millis(5), &mut || drop(other.changes_by_others().unwrap()));
    timed("see nothing", Duration::from_millis(1), &mut || drop(other.changes_by_others().unwrap()));
    timed("open and load", Duration::from_millis(300), &mut || assert_eq!(ground.open().touched.len(), 0));
    println!("{} bytes", fs::metadata(ground.path()).unwrap().len());
}
