//! What it takes to open a balancer with many keys, with what a database remembers of them, and to write it there.
//!
//! `cargo bench -p egb --bench start`

use std::fs;
use std::path::Path;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use egb::{Balancer, BalancerBuilder};
use tempfile::TempDir;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const KEYS: usize = 100_000;

fn main() {
    divan::main();
}

fn with_keys_file() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let lines: Vec<String> = (0..KEYS).map(|n| format!("AIzaSyFAKE_benchmark_{n:07}_0123456789:2  rpm=10")).collect();
    fs::write(folder.path().join("keys.txt"), lines.join("\n")).expect("a file");
    folder
}

fn with_file(folder: &Path) -> BalancerBuilder {
    Balancer::builder().keys_file(folder.join("keys.txt"))
}

fn with_database(folder: &Path) -> Balancer {
    with_file(folder).db(folder.join("keys.db")).build().expect("valid keys")
}

/// From a keys file of 100,000 lines.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn read_keys_file(bencher: Bencher<'_, '_>) {
    let folder = with_keys_file();
    bencher.counter(ItemsCount::new(KEYS)).bench_local(|| with_file(folder.path()).build());
}

/// The same, with the state of 100,000 keys in a database.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn restore_states(bencher: Bencher<'_, '_>) {
    let folder = with_keys_file();
    let balancer = with_database(folder.path());
    (0..KEYS).for_each(|_| balancer.lease().expect("a free key").success());
    balancer.flush().expect("written");
    drop(balancer);
    bencher.counter(ItemsCount::new(KEYS)).bench_local(|| with_database(folder.path()));
}

/// Calls with 100,000 keys, and all that they changed in the database.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn write_states(bencher: Bencher<'_, '_>) {
    let folder = with_keys_file();
    let balancer = with_database(folder.path());
    bencher.counter(ItemsCount::new(KEYS)).bench_local(|| {
        (0..KEYS).for_each(|_| balancer.lease().expect("a free key").success());
        balancer.flush().expect("written");
    });
}
