//! A checkout and its success, by the number of keys, threads and what is asked for. Allocations are listed where
//! there are any.
//!
//! `cargo bench -p egb --bench checkout`; a name (`-- sessions`) runs those that have it.

use std::cell::Cell;

use divan::{AllocProfiler, Bencher};
use egb::{Balancer, BalancerBuilder, Limits};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const SIZES: [usize; 4] = [10, 1_000, 100_000, 1_000_000];
const THREADS: [usize; 2] = [1, 2];

fn main() {
    divan::main();
}

fn keys(keys: usize) -> BalancerBuilder {
    let texts = (0..keys).map(|n| format!("AIzaSyFAKE_benchmark_{n:07}_0123456789"));
    Balancer::builder().keys(texts).seed(7)
}

/// More requests a minute than a measurement makes.
fn plenty(keys: usize) -> u32 {
    if keys < 100_000 { 1_000_000_000 } else { 100 }
}

fn measure(bencher: Bencher<'_, '_>, keys: usize, builder: BalancerBuilder, call: impl Fn(&Balancer) + Sync) {
    let balancer = builder.build().expect("valid keys");
    // What is made once is made here.
    (0..(2 * keys).max(100_000)).for_each(|_| call(&balancer));
    bencher.bench(|| call(&balancer));
}

fn lease(balancer: &Balancer) {
    balancer.lease().expect("a free key").success();
}

#[divan::bench(args = SIZES, threads = THREADS, sample_count = 200, sample_size = 500)]
fn plain(bencher: Bencher<'_, '_>, size: usize) {
    measure(bencher, size, keys(size).learn_limits(false), lease);
}

#[divan::bench(args = SIZES, threads = THREADS, sample_count = 200, sample_size = 500)]
fn limits_to_be_learned(bencher: Bencher<'_, '_>, size: usize) {
    measure(bencher, size, keys(size), lease);
}

#[divan::bench(args = SIZES, threads = THREADS, sample_count = 200, sample_size = 500)]
fn limits(bencher: Bencher<'_, '_>, size: usize) {
    measure(bencher, size, keys(size).rpm(plenty(size)).rpd(1_000_000_000), lease);
}

#[divan::bench(args = SIZES, threads = THREADS, sample_count = 200, sample_size = 500)]
fn scope(bencher: Bencher<'_, '_>, size: usize) {
    let builder = keys(size).scope_limits("pro", Limits::default().with_rpm(plenty(size)));
    measure(bencher, size, builder, |balancer| {
        balancer.checkout().scope("pro").lease().expect("a free key").success();
    });
}

#[divan::bench(args = SIZES, threads = THREADS, sample_count = 200, sample_size = 500)]
fn sessions(bencher: Bencher<'_, '_>, size: usize) {
    thread_local!(static SESSION: Cell<u64> = const { Cell::new(0) });
    measure(bencher, size, keys(size), |balancer| {
        let session = SESSION.get().wrapping_add(1);
        SESSION.set(session);
        balancer.checkout().affinity(session % 1_000).lease().expect("a free key").success();
    });
}

#[divan::bench(args = SIZES, threads = THREADS, sample_count = 200, sample_size = 500)]
fn database(bencher: Bencher<'_, '_>, size: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    measure(bencher, size, keys(size).db(folder.path().join("keys.db")), lease);
}

#[divan::bench(args = [1, 2, 8], sample_count = 200, sample_size = 500)]
fn several_keys(bencher: Bencher<'_, '_>, count: usize) {
    measure(bencher, 1_000, keys(1_000), |balancer| {
        balancer.leases(count).expect("free keys").success();
    });
}

#[divan::bench(args = SIZES, sample_count = 200, sample_size = 500)]
fn a_plain_key(bencher: Bencher<'_, '_>, size: usize) {
    measure(bencher, size, keys(size), |balancer| drop(balancer.key().expect("a free key")));
}
