#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Key, balanced};

use std::error::Error;
use std::io;

type Fallible<T> = Result<T, E>;

mod alias {
    pub type Answer = super::Fallible<u8>;
}

#[balanced]
fn aliased(key: Key) -> alias::Answer {
    drop(key);
    Ok(1)
}

#[balanced]
async fn boxed(key: Key, text: &str) -> Result<u8, Box<dyn Error + Send + Sync>> {
    drop(key);
    Ok(text.parse()?)
}

#[balanced]
fn with_anyhow(key: Key, text: &str) -> anyhow::Result<u8> {
    drop(key);
    Ok(text.parse()?)
}

#[derive(Debug)]
struct Io(io::Error);

impl From<egb::Error> for Io {
    fn from(error: egb::Error) -> Self {
        Self(io::Error::other(error))
    }
}

impl egb::StatusCode for Io {
    fn status_code(&self) -> Option<u16> {
        self.0.status_code()
    }
    fn reason(&self) -> Option<egb::Reason> {
        self.0.reason()
    }
}

#[balanced]
fn with_io(key: Key) -> Result<u8, Io> {
    drop(key);
    Err(Io(io::ErrorKind::TimedOut.into()))
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(aliased().unwrap(), 1);
    assert_eq!(block_on(boxed("7")).unwrap(), 7);
    assert_eq!(with_anyhow("8").unwrap(), 8);
    assert!(with_anyhow("x").is_err());
    assert_eq!(with_io().unwrap_err().0.kind(), io::ErrorKind::TimedOut);
    assert_eq!(counts(&balancer), (5, 3, 2));
}
