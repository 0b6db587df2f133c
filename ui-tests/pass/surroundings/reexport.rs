#[path = "../../common.rs"]
mod common;

use common::{E, counts, pool};
use egb::{Key, balanced};

mod sdk {
    pub mod balancing {
        pub use egb::*;
    }
}

#[balanced(crate = crate::sdk::balancing)]
fn call(key: Key) -> Result<usize, E> {
    Ok(key.expose_secret().len())
}

#[derive(Debug, sdk::balancing::StatusCode)]
#[status(crate = crate::sdk::balancing)]
enum Other {
    #[status(transparent)]
    Balance(egb::Error),
}

impl From<egb::Error> for Other {
    fn from(error: egb::Error) -> Self {
        Self::Balance(error)
    }
}

#[sdk::balancing::balanced(crate = crate::sdk::balancing)]
fn other(key: Key) -> Result<usize, Other> {
    Ok(key.expose_secret().len())
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(call().unwrap() + other().unwrap(), 20);
    assert_eq!(counts(&balancer), (2, 2, 0));
}
