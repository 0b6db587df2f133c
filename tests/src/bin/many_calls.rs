//! A program that makes 100,000 balanced calls, in which one key after the other turns out to be
//! revoked. It prints each disablement once the call that caused it has returned.
//! `tests/processes.rs` kills it on the way.
//!
//! `many_calls DB`

use std::error::Error;
use std::io::{self, Write};

use egb::{Balancer, Key, StatusCode, balanced};

#[derive(Debug, thiserror::Error, StatusCode)]
enum CallError {
    #[error("revoked")]
    #[status(401)]
    Revoked,
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] egb::Error),
}

/// Every hundredth call is answered with 401.
#[balanced]
fn call(key: &Key, turn: usize, used: &mut String) -> Result<(), CallError> {
    *used = key.fingerprint().to_string();
    if turn % 100 == 99 { Err(CallError::Revoked) } else { Ok(()) }
}

fn main() -> Result<(), Box<dyn Error>> {
    let db = std::env::args().nth(1).ok_or("no database")?;
    let keys = (0..2_000).map(|n| format!("AIzaSyFAKE_many_calls_{n:04}_0123456789"));
    let _guard = egb::init(Balancer::builder().keys(keys).db(db).build()?)?;
    let mut used = String::new();
    for turn in 0..100_000 {
        match call(turn, &mut used) {
            Ok(()) => {}
            Err(CallError::Revoked) => {
                println!("{used}");
                io::stdout().flush()?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
