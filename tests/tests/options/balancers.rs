//! `balancer`: one that the program drops while the call runs.

use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use egb::{Balancer, Error, Key, ManualClock, balanced};
use parking_lot::Mutex;

use super::{ApiError, SECOND};

/// As when a program takes other keys while a call runs.
type Slot = Mutex<Option<Balancer>>;

#[balanced(balancer = slot.lock().clone().unwrap(), retries = 1)]
async fn swapped(key: Key, slot: &Slot, tried: &AtomicU32) -> Result<Key, ApiError> {
    drop(slot.lock().take());
    match tried.fetch_add(1, Ordering::SeqCst) {
        0 => Err(ApiError::Status(429)),
        _ => Ok(key),
    }
}

#[balanced(balancer = slot.lock().clone().unwrap(), deadline = "1s")]
async fn swapped_and_slow(_key: Key, slot: &Slot) -> Result<(), ApiError> {
    drop(slot.lock().take());
    std::future::pending().await
}

#[test]
fn a_call_goes_on_as_ever_when_its_balancer_is_dropped_meanwhile() {
    let clock = ManualClock::new();
    let builder = || Balancer::builder().keys(["test-key-1", "test-key-2"]).clock(clock.clone()).in_memory();
    let (slot, tried) = (Slot::new(Some(builder().build().unwrap())), AtomicU32::new(0));
    let mut events = slot.lock().as_ref().unwrap().subscribe();
    let waker = || Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(_)) = pin!(swapped(&slot, &tried)).poll(&mut waker()) else { panic!("another key is free") };
    assert_eq!(tried.into_inner(), 2);
    assert!(matches!(pin!(events.next()).poll(&mut waker()), Poll::Ready(Ok(Some(_)))), "of the 429");
    assert!(matches!(pin!(events.next()).poll(&mut waker()), Poll::Ready(Ok(None))), "the call was the last");

    *slot.lock() = Some(builder().build().unwrap());
    let mut endless = pin!(swapped_and_slow(&slot));
    assert!(endless.as_mut().poll(&mut waker()).is_pending());
    clock.advance(SECOND);
    let ended = endless.as_mut().poll(&mut waker());
    assert!(matches!(ended, Poll::Ready(Err(ApiError::Balance(Error::DeadlineExceeded)))));
}
