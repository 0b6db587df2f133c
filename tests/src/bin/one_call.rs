//! A small program, as a user would write it: one balanced call, and the end. What it leaves on disk
//! is looked at by `tests/processes.rs`.
//!
//! `one_call DB ENDING`, where ENDING is how the program ends: `return`, `return-without-guard`,
//! `exit` or `panic`.

use std::error::Error;

use egb::{Balancer, Key, balanced};

#[balanced]
fn call(key: Key) -> Result<usize, egb::Error> {
    Ok(key.expose_secret().len())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (db, ending) = (arguments.next().ok_or("no database")?, arguments.next().ok_or("no ending")?);
    let guard = egb::init(Balancer::builder().key("AIzaSyFAKE_one_call_0123456789abcdef").db(db).build()?)?;
    if ending == "return-without-guard" {
        std::mem::forget(guard);
        call()?;
        return Ok(());
    }
    call()?;
    match ending.as_str() {
        "return" => Ok(()),
        "exit" => std::process::exit(0),
        "panic" => panic!("as asked"),
        other => Err(format!("unknown ending {other}").into()),
    }
}
