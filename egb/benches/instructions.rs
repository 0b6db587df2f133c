//! Instructions of the calls that every user makes, counted by valgrind: they do not depend on how busy the
//! machine is. Fails when a path takes more than what is recorded in `instructions.txt`.
//!
//! `cargo bench -p egb --bench instructions`; with `-- --record` it writes down what it counted.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::future::Future;
use std::hint::black_box;
use std::io::ErrorKind;
use std::path::Path;
use std::pin::pin;
use std::process::{Command, ExitCode, Stdio};
use std::task::{Context, Poll, Waker};

use egb::{Balancer, Key, Limits, balanced};

const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");

/// What a path may take beyond what is recorded: compilers and C libraries differ a little.
const TOLERANCE: f64 = 0.05;

const KEYS: u64 = 1000;
const CALLS: u64 = 4 * KEYS;

const PATHS: [&str; 5] = ["a lease", "a lease with limits", "a lease with a database", "a sync call", "an async call"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.first().map(String::as_str) {
        Some("--path") => run_path(&arguments[1], &arguments[2]).map(|()| ExitCode::SUCCESS),
        _ => compare(arguments.iter().any(|argument| argument == "--record")),
    };
    result.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

fn compare(record: bool) -> Result<ExitCode, Box<dyn Error>> {
    let recorded = fs::read_to_string(RECORD).unwrap_or_default();
    let known = |path: &str| {
        let line = recorded.lines().find_map(|line| line.strip_prefix(path)?.strip_prefix(':'));
        line.and_then(|count| count.trim().parse::<u64>().ok())
    };
    let mut fresh = String::new();
    let mut is_slower = false;
    for path in PATHS {
        let Some(counted) = count(path)? else {
            println!("skipped: there is no valgrind here (`apt-get install valgrind`)");
            return Ok(ExitCode::SUCCESS);
        };
        writeln!(fresh, "{path}: {counted}")?;
        let verdict = match known(path) {
            #[expect(clippy::cast_precision_loss, reason = "counts of a few thousand")]
            Some(known) if !record && counted as f64 > known as f64 * (1.0 + TOLERANCE) => {
                is_slower = true;
                format!("MORE than the {known} that are recorded")
            }
            Some(known) => format!("{known} are recorded"),
            None => "nothing is recorded".to_owned(),
        };
        println!("{path}: {counted} instructions ({verdict})");
    }
    if record {
        fs::write(RECORD, fresh)?;
    } else if is_slower {
        eprintln!(
            "a path got slower; mend it, or record it with `cargo bench -p egb --bench instructions -- --record`"
        );
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Instructions of one call: those of 2 n calls without those of n, and so without all that is done once.
fn count(path: &str) -> Result<Option<u64>, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut counts = [0; 2];
    for (calls, counted) in [CALLS, 2 * CALLS].into_iter().zip(&mut counts) {
        // One file a thread: the one that writes to the database is not counted.
        let out = folder.path().join(format!("out.{calls}"));
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--separate-threads=yes", "--quiet"]);
        valgrind.arg(format!("--callgrind-out-file={}", out.display())).arg(std::env::current_exe()?);
        valgrind.args(["--path", path, &calls.to_string()]).stderr(Stdio::piped());
        let output = match valgrind.output() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            output => output?,
        };
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        *counted = total(&out.with_extension(format!("{calls}-01")))?;
    }
    Ok(Some((counts[1] - counts[0]) / CALLS))
}

fn total(out: &Path) -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string(out)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.ok_or("callgrind wrote no total")?.trim().parse()?)
}

fn run_path(path: &str, calls: &str) -> Result<(), Box<dyn Error>> {
    let calls: u64 = calls.parse()?;
    let folder = tempfile::tempdir()?;
    let mut builder = Balancer::builder().keys((0..KEYS).map(|n| format!("test-key-{n}"))).seed(7);
    if path != "a lease" {
        builder = builder.rpm(1_000_000).rpd(1_000_000_000).scope_limits("pro", Limits::default().with_rpm(1_000_000));
    }
    if path != "a lease" && path != "a lease with limits" {
        builder = builder.db(folder.path().join("keys.db"));
    }
    let pool = &builder.build()?;
    for _ in 0..calls / KEYS {
        for _ in 0..KEYS {
            match path {
                "a sync call" => black_box(ask(pool, black_box("text")).map(drop)),
                "an async call" => black_box(ready(ask_async(pool, black_box("text"))).map(drop)),
                _ => pool.lease().map(egb::Lease::success),
            }?;
        }
        // What the writer collects, and when, is left to no chance.
        pool.flush()?;
    }
    Ok(())
}

#[balanced(balancer = pool)]
fn ask(key: &Key, pool: &Balancer, text: &str) -> Result<usize, egb::Error> {
    Ok(key.expose_secret().len() + text.len())
}

#[balanced(balancer = pool)]
async fn ask_async(key: &Key, pool: &Balancer, text: &str) -> Result<usize, egb::Error> {
    Ok(key.expose_secret().len() + text.len())
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the body waits for nothing"),
    }
}
