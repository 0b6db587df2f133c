//! [`HttpError`]: a ready error for an HTTP API that answered with one. What the answer means is read
//! in `provider`; this is what is kept of it, without keys.

use std::fmt;
use std::time::{Duration, SystemTime};

pub(super) use super::provider::READ_AT_MOST;
use super::provider::{self, Answer, Headers, Reading, cut, redact};
use super::{Reason, StatusCode};
use crate::{clock, context};

mod echo;

const KEPT_OF_BODY: usize = 4 * 1024;
/// In characters.
const SHOWN_OF_MESSAGE: usize = 300;
const SHOWN_OF_CODE: usize = 60;

/// The error answer of an HTTP API, for programs that have no error type of their own.
///
/// It reads what the answer means: Google's, OpenAI's and Anthropic's error bodies, `Retry-After` and
/// the rate-limit headers. So a revoked Gemini key, which Google answers with 400, is told from a bad
/// prompt, and a quota by the day from one by the minute. A body that it doesn't know leaves the status
/// to speak for itself.
///
/// What it keeps and shows of the answer is redacted, for some providers echo the key in their errors: whatever looks like a
/// key is taken out, and made within a call (in the body of a `#[balanced]` function, of
/// [`with_keys`](crate::Balancer::with_keys) or of a stream with a lease) it knows the keys of that call. Those it takes out
/// whatever they look like, in capitals and small letters, and as JSON (`\/`, `\u002f`), URLs (`%2F`) and HTML (`&#47;`,
/// `&sol;`) escape them, up to three times over; a key of less than eight bytes where it stands as a word of its own, and one
/// of a single byte not at all. Encodings that hide a text as a whole, such as Base64, are not seen through.
///
/// ```
/// use std::time::Duration;
/// use egb::{HttpError, Reason, StatusCode};
///
/// let body = r#"{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.",
///     "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}"#;
/// let error = HttpError::new(400, body);
/// assert_eq!(error.reason(), Some(Reason::InvalidKey));
/// assert_eq!(
///     error.to_string(),
///     "gemini answered 400 INVALID_ARGUMENT: API key not valid. Please pass a valid API key."
/// );
///
/// let error = HttpError::from_parts(429, &[("retry-after", "30")], "slow down");
/// assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
/// ```
#[derive(Clone, Debug)]
pub struct HttpError {
    status: u16,
    reading: Reading,
    server: &'static str,
    code: Option<String>,
    message: String,
    body: String,
}

impl HttpError {
    /// The error of a status and a body, when the headers are not at hand. Prefer
    /// [`from_parts`](Self::from_parts): headers say when to come back.
    pub fn new(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::read(status, &Headers::default(), body.as_ref(), clock::system_utc())
    }

    /// The error of a whole answer: its status, headers and body.
    ///
    /// The headers are pairs of a name and a value: `&http::HeaderMap` (`reqwest`'s, too),
    /// `&[("retry-after", "30")]`, a map or a vector. Of the body the first 64 KiB are read.
    ///
    /// A status below 400 is no contradiction: some APIs send errors under a 200.
    ///
    /// ```
    /// # #[cfg(feature = "http")] {
    /// let mut headers = http::HeaderMap::new();
    /// headers.insert("retry-after", http::HeaderValue::from_static("30"));
    /// let error = egb::HttpError::from_parts(503, &headers, b"busy");
    /// assert_eq!(error.status(), 503);
    /// assert_eq!(error.to_string(), "the server answered 503: busy");
    /// # }
    /// ```
    pub fn from_parts<H>(status: u16, headers: H, body: impl AsRef<[u8]>) -> Self
    where
        H: IntoIterator,
        H::Item: Header,
    {
        let mut limits = Headers::default();
        for header in headers {
            limits.add(header.name(), header.value());
        }
        Self::read(status, &limits, body.as_ref(), clock::system_utc())
    }

    /// The error that an event of a stream carries, or `None` when the event carries none: Gemini,
    /// OpenAI and Anthropic all report failures inside a stream that began with 200.
    ///
    /// Takes the event's `data`, or the event as it came (`data: {..}`).
    ///
    /// ```
    /// use egb::{HttpError, Reason, StatusCode};
    ///
    /// let event = r#"data: {"error": {"code": "server_is_overloaded", "message": "Try again later."}}"#;
    /// let error = HttpError::from_stream_event(event).unwrap();
    /// assert_eq!(error.reason(), Some(Reason::Server));
    /// assert!(HttpError::from_stream_event(r#"data: {"choices": []}"#).is_none());
    /// ```
    pub fn from_stream_event(event: impl AsRef<[u8]>) -> Option<Self> {
        let event = event.as_ref();
        let start = String::from_utf8_lossy(&event[..event.len().min(READ_AT_MOST)]);
        provider::holds_error(&start).then(|| Self::new(200, event))
    }

    pub(super) fn read(status: u16, headers: &Headers, body: &[u8], now: SystemTime) -> Self {
        let keys = context::all_held_keys();
        let start = String::from_utf8_lossy(&body[..body.len().min(READ_AT_MOST)]);
        let Answer { reading, server, code, message } = provider::read(status, headers, &start, now);
        let without_keys = |text: &str| {
            let text = echo::without(&keys, text, cut(text, KEPT_OF_BODY).len());
            cut(&redact(&text), KEPT_OF_BODY).to_owned()
        };
        Self {
            status,
            reading,
            server,
            code: code.map(|code| one_line(&without_keys(&code), SHOWN_OF_CODE)),
            message: one_line(&without_keys(&message), SHOWN_OF_MESSAGE),
            body: without_keys(&start),
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The beginning of the body, up to 4 KiB, without anything that looks like a key and without those of the call.
    pub fn body(&self) -> &str {
        &self.body
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered {}", self.server, self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

impl std::error::Error for HttpError {}

impl StatusCode for HttpError {
    fn status_code(&self) -> Option<u16> {
        Some(self.status)
    }
    fn retry_after(&self) -> Option<Duration> {
        self.reading.retry_after
    }
    fn reason(&self) -> Option<Reason> {
        Some(self.reading.reason)
    }
}

/// A header for [`HttpError::from_parts`]: a pair of a name and a value, or a reference to one.
pub trait Header {
    /// Its name, in any case.
    fn name(&self) -> &str;
    /// Its value.
    fn value(&self) -> &[u8];
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Header for (N, V) {
    fn name(&self) -> &str {
        self.0.as_ref()
    }
    fn value(&self) -> &[u8] {
        self.1.as_ref()
    }
}

impl<H: Header> Header for &H {
    fn name(&self) -> &str {
        (**self).name()
    }
    fn value(&self) -> &[u8] {
        (**self).value()
    }
}

/// Without line breaks and control characters, which would let a server write into logs and terminals.
fn one_line(text: &str, limit: usize) -> String {
    let words = text.split(|char: char| char.is_whitespace() || char.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(limit) {
        Some(_) => line.chars().take(limit - 1).chain(['…']).collect(),
        None => line,
    }
}

/// How long the headers of an answer ask to wait.
#[cfg(feature = "http")]
pub(crate) fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let mut limits = Headers::default();
    for (name, value) in headers {
        limits.add(name.as_str(), value.as_bytes());
    }
    provider::sensible(limits.wait(clock::system_utc()))
}

/// How long the value of a `Retry-After` header asks to wait: seconds or a date (RFC 9110, 10.2.3).
pub(crate) fn retry_after_value(value: &[u8]) -> Option<Duration> {
    let mut limits = Headers::default();
    limits.add("retry-after", value);
    provider::sensible(limits.wait(clock::system_utc()))
}

#[cfg(test)]
mod tests;
