//! A small program, as a user would write it: one balanced call, and the end. What it leaves on disk
//! is looked at by `tests/processes.rs`.
//!
//! `one_call DB ENDING`, where ENDING is how the program ends: `return`, `guard-forgotten`, `guard-dropped-early`,
//! `exit`, `panic`, `runtime-dropped` or `runtime-left-behind` (both with calls in flight).

use std::error::Error;
use std::future;
use std::time::Duration;

use egb::{Balancer, Key, balanced};

#[balanced]
fn call(key: Key) -> Result<usize, egb::Error> {
    Ok(key.expose_secret().len())
}

#[balanced]
async fn endless_call(key: Key) -> Result<usize, egb::Error> {
    future::pending::<()>().await;
    Ok(key.expose_secret().len())
}

/// A runtime with calls in flight.
fn runtime(balancer: &Balancer) -> Result<tokio::runtime::Runtime, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    for _ in 0..10 {
        runtime.spawn(endless_call());
    }
    // They have begun once the key serves ten calls.
    while balancer.stats().keys[0].in_flight < 10 {
        std::thread::yield_now();
    }
    Ok(runtime)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (db, ending) = (arguments.next().ok_or("no database")?, arguments.next().ok_or("no ending")?);
    let balancer = Balancer::builder().key("AIzaSyFAKE_one_call_0123456789abcdef").db(db).build()?;
    let guard = egb::init(balancer.clone())?;
    if ending == "guard-forgotten" {
        std::mem::forget(guard);
        call()?;
        return Ok(());
    }
    if ending == "guard-dropped-early" {
        drop(guard);
        call()?;
        return Ok(());
    }
    call()?;
    match ending.as_str() {
        "return" => Ok(()),
        "exit" => std::process::exit(0),
        "panic" => panic!("as asked"),
        "runtime-dropped" => {
            drop(runtime(&balancer)?);
            Ok(())
        }
        "runtime-left-behind" => {
            runtime(&balancer)?.shutdown_timeout(Duration::ZERO);
            std::process::exit(0)
        }
        other => Err(format!("unknown ending {other}").into()),
    }
}
