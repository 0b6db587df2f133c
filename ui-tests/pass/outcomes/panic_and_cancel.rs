use egb::{balanced, Balancer, Key};

#[derive(Debug, thiserror::Error, egb::StatusCode)]
enum E {
    #[error("status {0}")]
    #[status(field = 0)]
    Status(u16),
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] egb::Error),
}

fn pool() -> Balancer {
    Balancer::builder().keys(["test-key-1", "test-key-2", "test-key-3"]).in_memory().build().unwrap()
}

fn counts(balancer: &Balancer) -> (u64, u64, u64) {
    let stats = balancer.stats();
    (stats.calls(), stats.successes(), stats.failures())
}

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
    let _ = pool;
    let _: fn(&mut Context<'_>) = |_| {};
}

use std::future::Future;
