#[path = "../../common.rs"]
mod common;

use common::{E, counts, pool};
use egb::{Key, balanced};

use std::cell::RefCell;

thread_local! {
    static SEEN: RefCell<Vec<Key>> = const { RefCell::new(Vec::new()) };
}

fn seen(key: &Key) {
    SEEN.with_borrow_mut(|seen| seen.push(key.clone()));
}

#[balanced(retries = 5)]
fn always(key: &Key, status: u16) -> Result<(), E> {
    seen(key);
    Err(E::Status(status))
}

#[balanced(retries = 0)]
fn never(key: &Key) -> Result<(), E> {
    seen(key);
    Err(E::Status(503))
}

fn attempts(call: impl FnOnce()) -> Vec<Key> {
    SEEN.take();
    call();
    SEEN.take()
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    let keys = attempts(|| assert!(matches!(always(503), Err(E::Status(503)))));
    assert_eq!(keys.len(), 3, "each key once, then the call's own error");
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    for status in [400, 404, 422] {
        assert_eq!(attempts(|| drop(always(status))).len(), 1, "{status} is the request's fault");
    }
    assert_eq!(attempts(|| drop(never())).len(), 1);
    assert_eq!(counts(&balancer), (7, 0, 7));
}
