//! What egb logs: events with stable names and fields. No key is in any of them.
//!
//! One test in a program of its own: `tracing` asks the first thread that meets an event whether anybody listens, and where one
//! listener is all there is, a thread of another test would say no for all.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use egb::{Balancer, Failure, Key, KeyConfig, ManualClock};
use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::{Metadata, Subscriber, span, subscriber};

const KEY: &str = "AIzaSyFAKE_watched_key_0123456789abcdef";

/// Keeps the name and the fields of each event.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Line>>>);

type Line = (String, BTreeMap<String, String>);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "egb"
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.lock().push((event.metadata().name().to_owned(), fields.0));
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

#[test]
fn events_have_names_and_fields_to_filter_by_and_no_key() {
    let log = Log::default();
    subscriber::with_default(log.clone(), || {
        let key = KeyConfig::new(KEY).label("work");
        let pool = Balancer::builder().key(key).clock(ManualClock::new()).build().unwrap();
        pool.lease().unwrap().success();
        drop(pool.lease().unwrap());
        pool.lease().unwrap().end(Failure::status(429).with_retry_after(Duration::from_secs(60)));
        assert!(pool.key().is_err());
        pool.report(&KEY.into(), 401);
        pool.enable(&KEY.into()).unwrap();
    });
    let log = log.0.lock();
    let names: Vec<&str> = log.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "checked_out",
        "succeeded",
        "checked_out",
        "ended",
        "checked_out",
        "limit_learned",
        "key_cooling_down",
        "failed",
        "refused",
        "key_disabled",
        "failed",
        "key_enabled",
    ];
    assert_eq!(names, expected);
    for (name, fields) in log.iter() {
        assert_eq!(fields["event"], format!("{name:?}"), "the name is a field too, for those who log JSON");
        assert!(fields.values().all(|value| !value.contains("watched")), "{fields:?}");
    }
    let cooling = &log[6].1;
    let expected = [
        ("key", Key::from(KEY).fingerprint().to_string()),
        ("label", "\"work\"".to_owned()),
        ("reason", "\"rate_limited\"".to_owned()),
        ("seconds", "60.0".to_owned()),
    ];
    for (field, value) in expected {
        assert_eq!(cooling[field], value);
    }
    assert_eq!((log[7].1["status"].as_str(), log[7].1["retry_after"].as_str()), ("429", "60.0"));
}
