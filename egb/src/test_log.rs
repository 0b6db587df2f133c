//! What tests hear of the log.

use std::sync::OnceLock;

use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Subscriber, subscriber};

/// Lets `subscriber` hear what this thread logs meanwhile.
pub(crate) fn heard<T>(subscriber: impl Subscriber + Send + Sync + 'static, action: impl FnOnce() -> T) -> T {
    // While there is one subscriber in the program, `tracing` asks that of the first thread that meets an event whether anybody
    // listens, and keeps the answer for all: mostly the thread of another test, which has none.
    static ANOTHER: OnceLock<Dispatch> = OnceLock::new();
    ANOTHER.get_or_init(|| Dispatch::new(NoSubscriber::new()));
    subscriber::with_default(subscriber, action)
}
