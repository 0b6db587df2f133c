//! How long the command `egb` takes to answer with 100,000 keys that have all served calls, beside the promises.
//!
//! `cargo bench -p egb --bench command --features cli`

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use egb::Balancer;

const KEYS: usize = 100_000;
const RUNS: usize = 15;
const GOAL: Duration = Duration::from_millis(200);

const COMMANDS: [(&str, Option<Duration>); 6] = [
    ("stats", Some(GOAL)),
    ("list --limit 20", Some(GOAL)),
    ("list --sort last-used --limit 20", None),
    ("health --filter disabled --limit 20", None),
    ("stats --json --detailed", None),
    ("monitor --count 1", None),
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    fill(folder.path())?;
    println!("{:<52} {:>8} {:>8}   goal", "", "median", "fastest");
    for (arguments, goal) in COMMANDS {
        for (with, source) in [("", &[][..]), (", with a keys file", &["--keys-file", "keys.txt"])] {
            let mut times = (0..RUNS).map(|_| time(folder.path(), arguments, source)).collect::<Result<Vec<_>, _>>()?;
            times.sort_unstable();
            let what = format!("egb {arguments}{with}");
            let (median, fastest) = (times[RUNS / 2].as_millis(), times[0].as_millis());
            let goal = goal.map_or_else(String::new, |goal| format!("{} ms", goal.as_millis()));
            println!("{what:<52} {median:>5} ms {fastest:>5} ms   {goal}");
        }
    }
    Ok(())
}

/// A keys file, and a database that knows all of its keys; some failed, and some are disabled.
fn fill(folder: &Path) -> Result<(), Box<dyn Error>> {
    let keys: Vec<String> = (0..KEYS).map(|n| format!("AIzaSyFAKE_benchmark_{n:07}_0123456789")).collect();
    fs::write(folder.join("keys.txt"), keys.join("\n"))?;
    let balancer = Balancer::builder().keys_file(folder.join("keys.txt")).db(folder.join("keys.db")).build()?;
    for _ in 0..KEYS {
        balancer.lease()?.success();
    }
    for (number, key) in keys.iter().enumerate() {
        match number % 100 {
            0 => balancer.report(&key.as_str().into(), 429),
            1 => balancer.report(&key.as_str().into(), 500),
            2 if number % 1_000 == 2 => balancer.report(&key.as_str().into(), 401),
            _ => {}
        }
    }
    Ok(balancer.flush()?)
}

fn time(folder: &Path, arguments: &str, source: &[&str]) -> Result<Duration, Box<dyn Error>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_egb"));
    command.args(source).args(arguments.split(' ')).current_dir(folder).env("EGB_DB", "keys.db");
    command.env_remove("EGB_KEYS").env_remove("EGB_KEYS_FILE").stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status()?;
    let taken = start.elapsed();
    if status.success() { Ok(taken) } else { Err(format!("`egb {arguments}` failed").into()) }
}
