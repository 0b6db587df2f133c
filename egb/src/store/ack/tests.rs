use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::Wake;

use super::*;

const LIMIT: Duration = Duration::from_mins(1);

fn ack(limit: Duration) -> (Promise, Ack) {
    let (promise, waiter) = promise(Path::new("made-up.db").into());
    (promise, Ack::new(waiter, Sentry::new(limit)))
}

/// A future in the hands of an executor of the plainest kind.
fn block_on(future: impl Future<Output = ()> + Unpin) {
    struct Unpark(thread::Thread, AtomicUsize);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.unpark();
        }
    }
    let unpark = Arc::new(Unpark(thread::current(), AtomicUsize::new(0)));
    let waker = Waker::from(unpark.clone());
    let mut future = future;
    while Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending() {
        let before = unpark.1.load(Ordering::SeqCst);
        while unpark.1.load(Ordering::SeqCst) == before {
            thread::park_timeout(LIMIT);
        }
    }
}

#[test]
fn an_ack_can_be_sent_and_awaited_without_pinning() {
    fn check<T: Send + Unpin + Future<Output = ()>>() {}
    check::<Ack>();
}

#[test]
fn a_promise_that_is_kept_ends_the_wait() {
    for is_kept_first in [true, false] {
        let (promise, waiter) = promise(Path::new("made-up.db").into());
        let keep = move || promise.keep(&Ok(()));
        if is_kept_first {
            keep();
            waiter.wait(LIMIT).unwrap();
        } else {
            thread::scope(|scope| {
                scope.spawn(keep);
                waiter.wait(LIMIT).unwrap();
            });
        }
    }
}

#[test]
fn a_promise_that_is_dropped_ends_the_wait_as_well() {
    let (promise, waiter) = promise(Path::new("made-up.db").into());
    drop(promise);
    let error = waiter.wait(LIMIT).unwrap_err();
    assert!(matches!(error.kind(), StoreErrorKind::Stopped));
    assert_eq!(error.path(), Path::new("made-up.db"));
}

#[test]
fn a_future_ends_when_its_promise_is_kept() {
    let (promise, future) = ack(LIMIT);
    let (polled, is_polled) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            is_polled.recv_timeout(LIMIT).unwrap();
            promise.keep(&Ok(()));
        });
        let mut future = future;
        let first = Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop()));
        assert!(first.is_pending());
        polled.send(()).unwrap();
        block_on(future);
    });
}

#[test]
fn a_future_whose_promise_was_kept_is_ready_and_starts_no_thread() {
    let (promise, mut future) = ack(LIMIT);
    promise.keep(&Ok(()));
    assert!(Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())).is_ready());
    assert!(future.sentry.end().is_none());
}

#[test]
fn a_future_ends_by_itself_when_the_disk_hangs() {
    let (promise, future) = ack(Duration::from_millis(20));
    let sentry = future.sentry.clone();
    block_on(future);
    promise.keep(&Ok(()));
    sentry.end().expect("a thread that watched").join().unwrap();
}

#[test]
fn a_future_works_on_tokio_and_so_does_the_blocking_wait() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        let ((first, future), (second, blocking)) = (ack(LIMIT), ack(LIMIT));
        thread::spawn(move || {
            first.keep(&Ok(()));
            second.keep(&Ok(()));
        });
        future.await;
        blocking.wait();
    });
}

#[test]
fn a_sentry_that_has_ended_watches_nothing() {
    let (promise, mut future) = ack(LIMIT);
    assert!(future.sentry.end().is_none());
    assert!(Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(future.sentry.end().is_none(), "no thread was started");
    promise.keep(&Ok(()));
    block_on(future);
}
