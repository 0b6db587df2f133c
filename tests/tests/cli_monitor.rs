//! `egb monitor` as a process without a terminal: blocks of lines, lines of JSON, and what other programs do meanwhile.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use egb::{Balancer, KeyConfig};
#[cfg(target_os = "linux")]
use egb_tests::eventually;
use egb_tests::{Egb, obedient_key};
use serde_json::Value;

fn egb() -> Egb {
    Egb::new(env!("CARGO_BIN_EXE_egb_command"))
}

fn pool(egb: &Egb) -> Balancer {
    let config = |label: &str| KeyConfig::new(obedient_key(label)).label(label);
    Balancer::builder().key(config("a")).key(config("b")).key(config("c")).db(egb.db()).build().unwrap()
}

fn keys_file(egb: &Egb) {
    let lines: Vec<String> = ["a", "b", "c"].map(|label| format!("{} label={label}", obedient_key(label))).into();
    egb.write("keys.txt", &lines.join("\n"));
}

/// A monitor whose lines of JSON are read one by one.
struct Running {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn start(egb: &Egb, arguments: &[&str]) -> Self {
        let mut child = egb.command(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn look(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// On a terminal of its own, which then goes away, as when an SSH connection breaks.
#[cfg(target_os = "linux")]
#[test]
fn the_full_screen_ends_with_its_terminal() {
    use std::cell::RefCell;
    use std::fs::File;
    use std::io::Read;

    let egb = egb();
    let _pool = pool(&egb);
    let size = nix::pty::Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = nix::pty::openpty(&size, None).unwrap();
    // A copy, as those are closed in children.
    let mut screen = File::from(terminal.master.try_clone().unwrap());
    drop(terminal.master);
    let end = || Stdio::from(terminal.slave.try_clone().unwrap());
    let mut command = egb.command(&["monitor", "--interval", "100ms"]);
    command.stdin(end()).stdout(end()).stderr(end());
    let child = RefCell::new(command.spawn().unwrap());
    drop((command, terminal.slave));
    let (mut shown, mut bytes) = (String::new(), [0; 4096]);
    while !shown.contains("quit") {
        let read = screen.read(&mut bytes).expect("it runs as long as its terminal is there");
        shown.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    assert!(child.borrow_mut().try_wait().unwrap().is_none());
    drop(screen);
    eventually("the end of the monitor", || child.borrow_mut().try_wait().unwrap().is_some());
}

#[test]
fn each_look_is_a_line_of_json_and_sees_what_other_programs_do() {
    let egb = egb();
    let pool = pool(&egb);
    pool.flush().unwrap();
    keys_file(&egb);
    let arguments = ["monitor", "--json", "--interval", "100ms", "--keys-file", "keys.txt"];
    let mut monitor = Running::start(&egb, &arguments);
    let first = monitor.look();
    assert_eq!(first["keys"]["available"], 3);
    assert_eq!((&first["calls_per_second"], &first["events"]), (&Value::Null, &Value::Array(Vec::new())));
    for _ in 0..40 {
        pool.lease().unwrap().success();
    }
    pool.report(&obedient_key("c").into(), 500);
    pool.report(&obedient_key("b").into(), 401);
    let mut seen = (false, false);
    for _ in 0..100 {
        let look = monitor.look();
        let events = look["events"].as_array().unwrap();
        seen.0 |= events.iter().any(|event| event["event"] == "key_disabled" && event["label"] == "b");
        seen.1 |= look["calls"] == 42
            && look["detailed"][2]["health"].as_f64().unwrap() < 1.0
            && look["calls_per_second"].as_f64().unwrap() > 0.0;
        assert!(look["at"].as_str().unwrap().ends_with('Z'));
        if seen == (true, true) {
            assert_eq!(look["keys"]["disabled"], 1);
            let row = &look["detailed"][1];
            assert_eq!(row["last_error"]["reason"], "invalid_key");
            assert_ne!(row["last_used"], first["detailed"][1]["last_used"], "the last use is that of all programs");
            return;
        }
    }
    panic!("{seen:?}");
}

#[test]
fn people_get_a_block_for_each_look() {
    let egb = egb();
    let pool = pool(&egb);
    pool.lease().unwrap().success();
    pool.report(&obedient_key("c").into(), 429);
    pool.flush().unwrap();
    keys_file(&egb);
    let arguments = ["monitor", "--interval", "50ms", "--count", "2", "--keys-file", "keys.txt", "--sort", "state"];
    let printed = egb.run(&arguments);
    let blocks: Vec<Vec<&str>> = printed.fine().trim_end().split("\n\n").map(|block| block.lines().collect()).collect();
    assert_eq!(blocks.len(), 2, "{printed:?}");
    for block in &blocks {
        assert!(block[0].contains("3 keys: 2 available, 1 cooling down"), "{block:?}");
        let columns: Vec<&str> = block[1].split_whitespace().collect();
        assert_eq!(columns[..3], ["KEY", "NAME", "STATE"]);
        assert!(block[2].contains("cooling down") && block[2].contains("429 rate_limited"), "{block:?}");
        assert_eq!(block.len(), 5);
    }
    assert!(printed.out.lines().all(|line| line.chars().count() <= 80 || line.contains("calls/s")), "{}", printed.out);
}

#[test]
fn the_filter_and_the_limit_choose_keys() {
    let egb = egb();
    pool(&egb).disable(&obedient_key("c").into()).unwrap();
    keys_file(&egb);
    let run = |more: &[&str]| {
        let arguments = ["monitor", "--json", "--count", "1", "--keys-file", "keys.txt"];
        let json = egb.run(&[&arguments, more].concat()).json();
        let rows = json["detailed"].as_array().unwrap();
        rows.iter().map(|row| row["label"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(run(&[]), ["a", "b", "c"]);
    assert_eq!(run(&["--filter", "disabled"]), ["c"]);
    assert_eq!(run(&["--limit", "2"]), ["a", "b"]);
    assert_eq!(run(&["--limit", "0"]), [""; 0]);
    assert_eq!(run(&["--sort", "state", "--limit", "1"]), ["c"]);
}

#[test]
fn a_changed_keys_file_is_followed() {
    let egb = egb();
    pool(&egb).flush().unwrap();
    keys_file(&egb);
    let arguments = ["monitor", "--json", "--interval", "100ms", "--keys-file", "keys.txt"];
    let mut monitor = Running::start(&egb, &arguments);
    assert_eq!(monitor.look()["keys"]["total"], 3);
    egb.write("keys.txt", &format!("{} label=a\n", obedient_key("a")));
    let followed = (0..200).any(|_| monitor.look()["keys"]["total"] == 1);
    assert!(followed);
}

#[test]
fn a_key_that_is_added_meanwhile_is_shown_with_where_it_came_from() {
    let egb = egb();
    pool(&egb).flush().unwrap();
    let mut monitor = Running::start(&egb, &["monitor", "--json", "--interval", "100ms"]);
    monitor.look();
    egb.run_with(&["add", "-", "--label", "late"], "an-added-key-0123456789");
    let mut origin = || {
        let look = monitor.look();
        let late = look["detailed"].as_array().unwrap().iter().find(|key| key["label"] == "late");
        late.map(|key| key["origin"].clone())
    };
    assert_eq!((0..200).find_map(|_| origin()), Some("added".into()));
}

#[test]
fn it_shows_keys_that_only_the_database_knows_and_ten_thousand_of_them() {
    let egb = egb();
    let keys = (0..10_000).map(|number| format!("AIzaSyFAKE_monitor_{number:05}_0123456789"));
    let balancer = Balancer::builder().keys(keys).db(egb.db()).build().unwrap();
    for _ in 0..10_000 {
        balancer.lease().unwrap().success();
    }
    balancer.flush().unwrap();
    let json = egb.run(&["monitor", "--json", "--count", "1", "--sort", "calls"]).json();
    assert_eq!((&json["keys"]["total"], &json["calls"]), (&10_000.into(), &10_000.into()));
    assert_eq!(json["detailed"].as_array().unwrap().len(), 10);
    assert_eq!(json["detailed"][0]["masked"], "…");
}

#[test]
fn who_reads_no_further_ends_it() {
    let egb = egb();
    pool(&egb).flush().unwrap();
    for json in [&[][..], &["--json"]] {
        let arguments = [&["monitor", "--interval", "50ms"], json].concat();
        let mut child = egb.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{json:?}");
    }
}

#[test]
fn what_can_not_be_watched_is_an_error() {
    let egb = egb();
    let missing = egb.run(&["monitor", "--count", "1"]);
    assert_eq!((missing.code, missing.out.as_str()), (1, ""));
    assert!(missing.err.contains("keys.db"), "{missing:?}");
    for interval in ["soon", "1ms", "-5s"] {
        assert_eq!(egb.run(&["monitor", &format!("--interval={interval}")]).code, 2, "{interval}");
    }
    assert_eq!(egb.run(&["monitor", "--sort", "size"]).code, 2);
    egb.write("keys.db", "this is no database, and long enough to be taken for one that is broken");
    assert_eq!(egb.run(&["monitor", "--count", "1"]).code, 1);
}
