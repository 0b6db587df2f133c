//! What the tests of this folder share: made-up changes, and a look at the log.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use super::{Change, Counters, SharedState};
use crate::health::Health;
use crate::key::{Fingerprint, Key};
use crate::test_log::heard;

pub(super) fn name(key: usize) -> Fingerprint {
    Key::from(format!("test-key-{key}")).fingerprint()
}

/// One successful call with a healthy key.
pub(super) fn change(key: usize) -> Change {
    Change {
        fingerprint: name(key),
        scope: None,
        state: SharedState { health: Health::new(1.0), epoch: 0, last_used: None },
        is_news: true,
        is_farewell: false,
        usage: Vec::new(),
        added: Counters { calls: 1, begun: 1, successes: 1, failures: 0, throttled: 0 },
    }
}

/// A call that disabled its key.
pub(super) fn disablement(key: usize) -> Change {
    let mut change = change(key);
    change.state.health.disabled = true;
    change
}

/// What `action` logs on this thread, for people to read.
pub(super) fn logged(action: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    heard(log.clone(), action);
    let lines = log.0.lock();
    lines.clone()
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        assert_eq!(event.metadata().target(), "egb");
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().push(line.0);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        fmt::Write::write_fmt(&mut self.0, format_args!(" {field}={value:?}")).expect("a String takes all");
    }
}
