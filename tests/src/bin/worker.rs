//! One of several programs that share a database: it makes so many calls on two threads, one in ten of which fails, and
//! ends. `tests/processes.rs` runs several at once, and adds up.
//!
//! `worker DB CALLS`

use std::error::Error;
use std::thread;

use egb::{Balancer, Policy};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (db, calls) = (arguments.next().ok_or("no database")?, arguments.next().ok_or("no calls")?.parse::<u32>()?);
    let keys = (0..20).map(|n| format!("AIzaSyFAKE_shared_{n:02}_0123456789abc"));
    // No failure takes a key out: every call gets one.
    let balancer = Balancer::builder().keys(keys).db(db).policy(Policy::passive()).learn_limits(false).build()?;
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for call in 0..calls / 2 {
                    let lease = balancer.lease().expect("a key is free");
                    if call % 10 == 0 { lease.end(503) } else { lease.success() }
                }
            });
        }
    });
    Ok(())
}
