//! What the server knows of keys, and its judgement of each request.

use std::collections::HashMap;
use std::time::Duration;

use crate::quota::{Exceeded, Quota, Usage, Window};

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
    /// 400, 401 and 403 because of the key.
    pub rejected: usize,
    /// 503, Anthropic's 529.
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
    OutOfCredit,
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

    /// Judges a request and enters it in the books. `prompt` is what was asked, or what is wrong with the body.
    pub(crate) fn serve(
        &mut self,
        now: Duration,
        key: Option<&str>,
        model: &str,
        models: &[&str],
        prompt: Result<String, String>,
    ) -> (Result<String, Problem>, impl FnOnce(&mut Self, u16) + use<>) {
        let answer = self.judge(now, key, model, models, prompt);
        let (key, model) = (key.unwrap_or_default().to_owned(), model.to_owned());
        let book = move |state: &mut Self, status: u16| {
            if let Some(known) = state.keys.get_mut(&key) {
                let rejected = known.standing != Standing::Valid;
                let received = &mut known.received;
                received.total += 1;
                *match status {
                    200 => &mut received.ok,
                    429 => &mut received.throttled,
                    503 | 529 => &mut received.unavailable,
                    _ if rejected => &mut received.rejected,
                    _ => &mut received.malformed,
                } += 1;
            }
            state.log.push(Request { at: now, key, model, status });
        };
        (answer, book)
    }

    fn judge(
        &mut self,
        now: Duration,
        key: Option<&str>,
        model: &str,
        models: &[&str],
        prompt: Result<String, String>,
    ) -> Result<String, Problem> {
        let known = self.admit(key)?;
        let number = known.received.total + 1;
        let prompt = prompt.map_err(Problem::Malformed)?;
        if !models.contains(&model) {
            return Err(Problem::NoSuchModel(model.to_owned()));
        }
        let spent = |exceeded| Problem::QuotaExceeded { model: model.to_owned(), exceeded };
        if let Some(until) = known.throttled_until.filter(|&until| until > now) {
            let exceeded = Exceeded { window: Window::Minute, limit: 1, retry_delay: until.saturating_sub(now) };
            return Err(spent(exceeded));
        }
        known.usage.book(known.quota, now).map_err(spent)?;
        let fails_now = known.fails_every.is_some_and(|every| number.is_multiple_of(every));
        if self.outage || self.failures_left > 0 || fails_now {
            self.failures_left = self.failures_left.saturating_sub(1);
            return Err(Problem::Overloaded);
        }
        Ok(prompt)
    }

    /// The key, if it may ask at all.
    fn admit(&mut self, key: Option<&str>) -> Result<&mut KeyState, Problem> {
        let key = key.ok_or(Problem::KeyMissing)?;
        let known = self.keys.get_mut(key).ok_or(Problem::KeyUnknown)?;
        match known.standing {
            Standing::Valid => Ok(known),
            Standing::Revoked => Err(Problem::KeyRevoked),
            Standing::Leaked => Err(Problem::KeyLeaked),
            Standing::Suspended => Err(Problem::KeySuspended(key.to_owned())),
            Standing::ServiceDisabled => Err(Problem::ServiceDisabled),
            Standing::OutOfCredit => Err(Problem::OutOfCredit),
        }
    }
}

/// Why a request is not served. How that is said is for each provider's dialect.
#[derive(Debug)]
pub(crate) enum Problem {
    KeyMissing,
    KeyUnknown,
    KeyRevoked,
    KeyLeaked,
    KeySuspended(String),
    ServiceDisabled,
    OutOfCredit,
    QuotaExceeded { model: String, exceeded: Exceeded },
    Overloaded,
    Malformed(String),
    NoSuchModel(String),
}
