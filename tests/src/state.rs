//! What the server knows of keys, and its judgement of each request.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use crate::body::{self, Failure};
use crate::quota::{Exceeded, Quota, Usage, Window};

/// The models that the server has.
pub(crate) const MODELS: [&str; 2] = ["gemini-2.5-flash", "gemini-2.5-pro"];

/// What a key received, by the server's answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Requests with this key.
    pub total: usize,
    /// 200.
    pub ok: usize,
    /// 429.
    pub throttled: usize,
    /// 400 and 403 because of the key.
    pub rejected: usize,
    /// 503.
    pub unavailable: usize,
    /// 400 and 404 because of the request.
    pub malformed: usize,
}

/// One request in the server's log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// Since the server's start, by its clock.
    pub at: Duration,
    /// The key; empty if there was none.
    pub key: String,
    /// The model asked for.
    pub model: String,
    /// The answer.
    pub status: u16,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    #[default]
    Valid,
    Revoked,
    Leaked,
    Suspended,
    ServiceDisabled,
}

#[derive(Debug, Default)]
pub(crate) struct KeyState {
    pub(crate) standing: Standing,
    pub(crate) quota: Quota,
    pub(crate) throttled_until: Option<Duration>,
    /// Every so many requests one is answered with 503.
    pub(crate) fails_every: Option<usize>,
    usage: Usage,
    received: Received,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) keys: HashMap<String, KeyState>,
    pub(crate) outage: bool,
    /// So many requests yet are answered with 503.
    pub(crate) failures_left: usize,
    pub(crate) log: Vec<Request>,
}

impl State {
    pub(crate) fn key(&mut self, key: &str) -> &mut KeyState {
        self.keys.entry(key.to_owned()).or_default()
    }

    pub(crate) fn received(&self, key: &str) -> Received {
        self.keys.get(key).map(|state| state.received).unwrap_or_default()
    }

    /// Judges a request and enters it in the books.
    pub(crate) fn serve(
        &mut self,
        now: Duration,
        key: Option<&str>,
        model: &str,
        body: &[u8],
    ) -> Result<Value, Failure> {
        let answer = self.judge(now, key, model, body);
        let status = answer.as_ref().map_or_else(|failure| failure.0, |_| 200);
        let key = key.unwrap_or_default();
        self.log.push(Request { at: now, key: key.to_owned(), model: model.to_owned(), status });
        if let Some(known) = self.keys.get_mut(key) {
            let rejected = known.standing != Standing::Valid;
            let received = &mut known.received;
            received.total += 1;
            *match status {
                200 => &mut received.ok,
                429 => &mut received.throttled,
                503 => &mut received.unavailable,
                _ if rejected => &mut received.rejected,
                _ => &mut received.malformed,
            } += 1;
        }
        answer
    }

    fn judge(&mut self, now: Duration, key: Option<&str>, model: &str, body: &[u8]) -> Result<Value, Failure> {
        let known = self.admit(key)?;
        let number = known.received.total + 1;
        let prompt = prompt(body).map_err(|description| body::malformed(&description))?;
        if !MODELS.contains(&model) {
            return Err(body::not_found(model));
        }
        if let Some(until) = known.throttled_until.filter(|&until| until > now) {
            let exceeded = Exceeded { window: Window::Minute, limit: 1, retry_delay: until.saturating_sub(now) };
            return Err(body::quota_exceeded(model, exceeded));
        }
        known.usage.book(known.quota, now).map_err(|exceeded| body::quota_exceeded(model, exceeded))?;
        let fails_now = known.fails_every.is_some_and(|every| number.is_multiple_of(every));
        if self.outage || self.failures_left > 0 || fails_now {
            self.failures_left = self.failures_left.saturating_sub(1);
            return Err(body::overloaded());
        }
        Ok(body::answer(model, &prompt))
    }

    /// The key, if it may ask at all.
    pub(crate) fn admit(&mut self, key: Option<&str>) -> Result<&mut KeyState, Failure> {
        let key = key.ok_or_else(body::key_missing)?;
        let known = self.keys.get_mut(key).ok_or_else(body::key_unknown)?;
        match known.standing {
            Standing::Valid => Ok(known),
            Standing::Revoked => Err(body::key_revoked()),
            Standing::Leaked => Err(body::key_leaked()),
            Standing::Suspended => Err(body::key_suspended(key)),
            Standing::ServiceDisabled => Err(body::service_disabled()),
        }
    }
}

/// The text of the first part of the first content.
fn prompt(body: &[u8]) -> Result<String, String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| format!("Unexpected token. {error}"))?;
    if let Some(unknown) = body.as_object().and_then(|fields| {
        fields.keys().find(|name| {
            !["contents", "generationConfig", "safetySettings", "systemInstruction"].contains(&name.as_str())
        })
    }) {
        return Err(format!("Unknown name \"{unknown}\": Cannot find field."));
    }
    let text = body["contents"][0]["parts"][0]["text"].as_str();
    text.map(str::to_owned).ok_or_else(|| "Invalid value at 'contents[0]'.".to_owned())
}
