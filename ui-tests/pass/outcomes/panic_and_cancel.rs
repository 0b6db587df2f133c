#[path = "../../common.rs"]
mod common;

use common::{E, counts};
use egb::{Balancer, Key, balanced};

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Waker};

#[balanced]
fn panics(key: Key) -> Result<(), E> {
    drop(key);
    panic!("the body's own")
}

#[balanced]
async fn waits(key: Key) -> Result<(), E> {
    drop(key);
    std::future::pending().await
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let balancer = Balancer::builder().key("test-key").concurrency(1).in_memory().build().unwrap();
    let _entered = balancer.enter();
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    {
        let mut future = Box::pin(waits());
        let mut context = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        assert_eq!(balancer.stats().keys[0].in_flight, 1);
        assert!(balancer.lease().is_err(), "the only place is taken");
    }
    balancer.lease().unwrap().success();
    assert_eq!(counts(&balancer), (3, 1, 0));
    let _: fn(&mut Context<'_>) = |_| {};
}

use std::future::Future;
