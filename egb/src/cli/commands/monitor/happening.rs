//! Events in words, for the list of what happened.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::cli::output::time::{Utc, span};
use crate::events::{Event, EventKind};
use crate::outcome::Reason;

/// How good or bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Plain,
    Warning,
    Bad,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct Happening {
    pub(super) at: SystemTime,
    /// The key's name; `None` when it is about none.
    pub(super) name: Option<String>,
    pub(super) text: String,
    pub(super) tone: Tone,
    event: Option<Event>,
}

impl Happening {
    pub(super) fn of(event: &Event, name: String, at: SystemTime) -> Self {
        let scope = event.scope.as_deref().map(|scope| format!(" for {scope}")).unwrap_or_default();
        let (text, tone) = words(event.kind);
        Self { at, name: Some(name), text: text + &scope, tone, event: Some(event.clone()) }
    }

    pub(super) fn note(text: String, at: SystemTime) -> Self {
        Self { at, name: None, text, tone: Tone::Warning, event: None }
    }

    /// `None` for what is about no key.
    pub(super) fn json(&self) -> Option<EventJson<'_>> {
        let event = self.event.as_ref()?;
        let (mut reason, mut wait, mut rpm) = (None, None, None);
        match event.kind {
            EventKind::Disabled { reason: why } => reason = why,
            EventKind::CoolingDown { wait: long, reason: why } => (wait, reason) = (Some(long), why),
            EventKind::CircuitOpened { wait: long } => wait = Some(long),
            EventKind::LimitLearned { rpm: learned } => rpm = Some(learned),
            EventKind::Enabled | EventKind::CircuitClosed | EventKind::Added | EventKind::Removed => {}
        }
        Some(EventJson {
            at: Utc(self.at),
            event: event.kind.name(),
            fingerprint: event.fingerprint.to_string(),
            label: event.label.as_deref(),
            scope: event.scope.as_deref(),
            reason: reason.map(Reason::name),
            seconds: wait.map(|wait| wait.as_secs_f64()),
            rpm,
        })
    }
}

/// An event in JSON: names and fields are those of the library's `tracing` events.
#[derive(Debug, Serialize)]
pub(super) struct EventJson<'a> {
    at: Utc,
    event: &'static str,
    fingerprint: String,
    label: Option<&'a str>,
    scope: Option<&'a str>,
    reason: Option<&'static str>,
    seconds: Option<f64>,
    rpm: Option<u32>,
}

fn words(kind: EventKind) -> (String, Tone) {
    let because = |reason: Option<Reason>| reason.map_or_else(String::new, |reason| format!(": {}", reason.name()));
    let rounded = |wait: Duration| span(Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)));
    match kind {
        EventKind::Disabled { reason } => (format!("disabled{}", because(reason)), Tone::Bad),
        EventKind::Enabled => ("enabled".to_owned(), Tone::Good),
        EventKind::CoolingDown { wait, reason } => {
            (format!("rests {}{}", rounded(wait), because(reason)), Tone::Warning)
        }
        EventKind::CircuitOpened { wait } => (format!("circuit open for {}", rounded(wait)), Tone::Warning),
        EventKind::CircuitClosed => ("circuit closed".to_owned(), Tone::Good),
        EventKind::LimitLearned { rpm } => (format!("serves {rpm} requests a minute, as learned"), Tone::Plain),
        EventKind::Added => ("entered the pool".to_owned(), Tone::Plain),
        EventKind::Removed => ("left the pool".to_owned(), Tone::Plain),
    }
}
