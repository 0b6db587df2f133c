#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Key, balanced};

#[balanced(balancer = "nowhere")]
fn refused(key: Key) -> Result<(), E> {
    drop(key);
    unreachable!("there is no balancer of this name")
}

/// The inner call had no key: that says nothing of the outer one's, and another would not help.
#[balanced(retries = 2)]
fn outer(key: Key, attempts: &mut u32) -> Result<(), E> {
    drop(key);
    *attempts += 1;
    refused()
}

#[balanced(retries = 2)]
async fn outer_async(key: Key, attempts: &mut u32) -> Result<(), E> {
    drop(key);
    *attempts += 1;
    tokio::task::yield_now().await;
    Ok(refused()?)
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    let mut attempts = 0;
    assert!(matches!(outer(&mut attempts), Err(E::Balance(_))));
    assert!(matches!(block_on(outer_async(&mut attempts)), Err(E::Balance(_))));
    assert_eq!(attempts, 2);
    assert_eq!(counts(&balancer), (2, 0, 0));
}
