//! What a large pool costs: time to save the state of all keys, time to open it again in another process, memory.
//!
//! `cargo run --release -p egb-tests --bin large_pool [KEYS]`; `tests/large_pool.rs` looks at the memory.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use egb::Balancer;

fn open(dir: &Path) -> Result<Balancer, egb::Error> {
    Balancer::builder().keys_file(dir.join("keys.txt")).db(dir.join("keys.db")).build()
}

/// Memory in use now, in MB.
fn resident() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse::<u64>()? / 1024)
}

fn use_all(balancer: &Balancer, keys: usize) -> Result<(), egb::Error> {
    for _ in 0..keys {
        balancer.lease()?.success();
    }
    balancer.flush()
}

fn make(keys: usize) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let lines: Vec<String> = (0..keys).map(|n| format!("AIzaSyFAKE_large_pool_{n:09}_01234567")).collect();
    std::fs::write(dir.path().join("keys.txt"), lines.join("\n"))?;
    drop(lines);
    let balancer = open(dir.path())?;
    use_all(&balancer, keys)?;
    let start = Instant::now();
    balancer.reset()?;
    println!("{keys} keys: state of all saved in {:.0?}", start.elapsed());
    drop(balancer);
    let status = Command::new(std::env::current_exe()?).arg("--open").arg(dir.path()).status()?;
    if status.success() { Ok(()) } else { Err("the second process failed".into()) }
}

fn look(dir: &Path) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let balancer = open(dir)?;
    println!("opened in {:.0?}, the keys file included", start.elapsed());
    println!("{} MB of memory", resident()?);
    let keys = balancer.stats().total();
    use_all(&balancer, keys)?;
    println!("{} MB when each key has served a call", resident()?);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("--open") => look(Path::new(&arguments.next().ok_or("which folder?")?)),
        Some(keys) => make(keys.parse()?),
        None => make(100_000),
    }
}
