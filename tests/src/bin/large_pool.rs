//! What a large pool costs: time to open, to save the state of all keys, to open again, and memory.
//!
//! `cargo run --release -p egb-tests --bin large_pool [KEYS]`; `tests/large_pool.rs` looks at the memory.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use egb::Balancer;

fn open(file: &Path, db: &Path) -> Result<Balancer, egb::Error> {
    Balancer::builder().keys_file(file).db(db).build()
}

/// In MB; `None` where the system does not tell.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

fn main() -> Result<(), Box<dyn Error>> {
    let keys: usize = std::env::args().nth(1).map_or(Ok(100_000), |keys| keys.parse())?;
    let dir = tempfile::tempdir()?;
    let (file, db) = (dir.path().join("keys.txt"), dir.path().join("keys.db"));
    let lines: String = (0..keys).map(|n| format!("AIzaSyFAKE_large_pool_{n:09}_012345678\n")).collect();
    std::fs::write(&file, lines)?;
    println!("{keys} keys");

    let balancer = open(&file, &db)?;
    for _ in 0..keys {
        balancer.lease()?.success();
    }
    let start = Instant::now();
    balancer.reset()?;
    println!("state of all saved in {:.0?}", start.elapsed());
    drop(balancer);

    let start = Instant::now();
    let balancer = open(&file, &db)?;
    println!("opened in {:.0?}, the keys file included", start.elapsed());
    for _ in 0..keys {
        balancer.lease()?.success();
    }
    balancer.flush()?;
    if let Some(resident) = resident() {
        println!("{resident} MB of memory");
    }
    println!("{} calls known", balancer.stats().calls());
    Ok(())
}
