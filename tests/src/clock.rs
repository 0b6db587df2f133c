//! The server's time: real, or driven by a test.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A clock for [`FakeGeminiBuilder::clock`](crate::FakeGeminiBuilder::clock) that moves when a test says so.
/// Clones share the time.
#[derive(Clone, Debug, Default)]
pub struct ServerClock(Arc<Mutex<Duration>>);

impl ServerClock {
    /// A clock that stands at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }

    fn now(&self) -> Duration {
        *self.0.lock()
    }
}

#[derive(Debug)]
pub(crate) enum Time {
    Real(Instant),
    Driven(ServerClock),
}

impl Time {
    /// Time since the server's start.
    pub(crate) fn now(&self) -> Duration {
        match self {
            Self::Real(start) => start.elapsed(),
            Self::Driven(clock) => clock.now(),
        }
    }
}
