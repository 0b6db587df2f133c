//! One call with one key, and what its answer says of the key. Knows nothing of the pool.

use std::time::Duration;

use serde::Serialize;
use ureq::Agent;

use super::target::Target;
use crate::clock::{Clock, SystemClock};
use crate::key::Key;
use crate::outcome::{BlockingErrorForKey, HttpError, Reason, StatusCode, Verdict};

/// What is known of a key after the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Finding {
    Works,
    /// It is revoked, blocked, out of money, or may not do this.
    Refused,
    /// It is good, and has to wait.
    Throttled,
    /// The server failed, or did not understand: that says nothing of the key.
    Unclear,
    /// The network, or the server, is down.
    NoAnswer,
    /// Its text is not known here.
    Skipped,
}

impl Finding {
    /// What people read.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Unclear => "unclear",
            Self::NoAnswer => "no answer",
            Self::Skipped => "skipped",
        }
    }
}

/// The end of a call.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) finding: Finding,
    pub(super) status: Option<u16>,
    /// Its name, as in logs.
    pub(super) reason: Option<&'static str>,
    /// What went wrong, in words of the provider's or the network's.
    pub(super) message: Option<String>,
    pub(super) took: Option<Duration>,
    /// What the pool is to be told. Without an answer there is nothing to tell.
    pub(super) verdict: Verdict,
}

impl Answer {
    /// Of a key that can't be asked with.
    pub(super) fn skipped(message: &str) -> Self {
        let message = Some(message.to_owned());
        Self { finding: Finding::Skipped, status: None, reason: None, message, took: None, verdict: Verdict::Neutral }
    }
}

/// Makes calls.
pub(super) struct Caller {
    agent: Agent,
    target: Target,
    clock: SystemClock,
}

impl Caller {
    pub(super) fn new(target: Target, timeout: Duration) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            // Another host is not to get the key.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("egb/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.into(), target, clock: SystemClock::new() }
    }

    pub(super) fn call(&self, key: &Key) -> Answer {
        let Some(headers) = self.target.headers(key) else {
            return Answer::skipped("the key has characters that no header can hold");
        };
        let begin = self.clock.monotonic();
        let mut request = self.agent.get(&self.target.url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let result = request.call().map(|response| (response.status().as_u16(), response.error_for_key()));
        let took = Some(self.clock.monotonic().saturating_sub(begin));
        let answer = match result {
            Ok((status, Ok(_))) if status < 300 => Answer {
                finding: Finding::Works,
                status: Some(status),
                reason: None,
                message: None,
                took,
                verdict: Verdict::Success,
            },
            Ok((status, Ok(_))) => Answer {
                finding: Finding::Unclear,
                status: Some(status),
                reason: Some("redirect"),
                message: Some("the server sends elsewhere; give the address itself".to_owned()),
                took,
                verdict: Verdict::Neutral,
            },
            Ok((status, Err(error))) => refused(status, &error, took, self.target.server()),
            Err(error) => Answer {
                finding: Finding::NoAnswer,
                status: None,
                reason: Some(error.reason().unwrap_or(Reason::Network).name()),
                message: Some(error.to_string()),
                took,
                verdict: Verdict::Neutral,
            },
        };
        // Whatever a server or a library may echo.
        let is_safe = |text: &String| !text.contains(key.expose_secret());
        Answer { message: answer.message.filter(is_safe), ..answer }
    }
}

fn refused(status: u16, error: &HttpError, took: Option<Duration>, server: &str) -> Answer {
    let verdict = Verdict::error(error);
    let reason = if let Verdict::Failure(failure) = &verdict { Some(failure.reason()) } else { None };
    let finding = match reason {
        Some(Reason::InvalidKey | Reason::Billing | Reason::Forbidden | Reason::Model) => Finding::Refused,
        Some(Reason::RateLimited | Reason::DailyQuota) => Finding::Throttled,
        _ => Finding::Unclear,
    };
    // What is the request's fault, or this host's, is no news of the key.
    let is_news = reason.is_some_and(Reason::is_retryable);
    let verdict = if is_news { verdict } else { Verdict::Neutral };
    // The dialect of an answer does not tell whose server it is.
    let message = error.to_string();
    let message =
        message.split_once(" answered ").map_or(message.clone(), |(_, rest)| format!("{server} answered {rest}"));
    Answer { finding, status: Some(status), reason: reason.map(Reason::name), message: Some(message), took, verdict }
}
