//! What a provider's answer says: status, headers and body in, a [`Reading`] out. Pure; one file a
//! provider holds its rules, each with the document it comes from.
//!
//! No rule goes by a word somewhere in the body: Google's and OpenAI's "You exceeded your current
//! quota" stands in nearly every 429 alike. A rule reads a field that the provider documents, or, where
//! there is none, the beginning of the provider's own sentence.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::Reason;

mod anthropic;
mod google;
mod headers;
mod openai;
mod redact;
#[cfg(test)]
mod tests;
mod wait;

pub(super) use headers::Headers;
pub(super) use redact::{REDACTED, cut, redact};

/// So much of a body is read. Errors are a few hundred bytes; the rest is somebody's web page.
pub(super) const READ_AT_MOST: usize = 64 * 1024;

/// No wait is believed that is longer: an hour too many in a server's clock must not cost a key for years.
const LONGEST_WAIT: Duration = Duration::from_hours(31 * 24);

/// Errors inside errors: JSON in a message. Seen two deep.
const DEPTH: usize = 3;

/// What an answer says about its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) reason: Reason,
    pub(super) retry_after: Option<Duration>,
}

/// A reading with what is worth showing of the answer. The texts are as the server sent them: redact
/// them before they are kept.
pub(super) struct Answer {
    pub(super) reading: Reading,
    /// `gemini`, or a phrase for a server that is not known.
    pub(super) server: &'static str,
    pub(super) code: Option<String>,
    pub(super) message: String,
}

/// Reads an answer. `text` is its body, of which the caller has cut what is beyond [`READ_AT_MOST`].
pub(super) fn read(status: u16, headers: &Headers, text: &str, now: SystemTime) -> Answer {
    let wait = headers.wait(now);
    let mut answer = match error_in(text) {
        Some(error) => error.read(status, wait, now),
        None => Answer {
            reading: Reading { reason: Reason::from_status(status), retry_after: wait },
            server: "the server",
            code: None,
            message: plain_message(text),
        },
    };
    answer.reading.retry_after = sensible(answer.reading.retry_after);
    answer
}

/// A wait of zero is none (the policy's own is better than a call at once), and none is endless.
pub(super) fn sensible(wait: Option<Duration>) -> Option<Duration> {
    wait.filter(|wait| !wait.is_zero()).map(|wait| wait.min(LONGEST_WAIT))
}

/// Whether a body, or an event of a stream, is or holds an error.
pub(super) fn holds_error(text: &str) -> bool {
    error_in(text).is_some()
}

/// An error object as all providers send it, and whose it is.
struct ErrorObject {
    shape: Shape,
    fields: Map<String, Value>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Google,
    Anthropic,
    /// OpenAI's, which many servers share.
    OpenAi,
}

/// What the rules of a provider go by.
struct Seen<'a> {
    /// The HTTP status; for an error inside a 200, the one that its code stands for.
    status: u16,
    message: &'a str,
    fields: &'a Map<String, Value>,
    /// What the headers say.
    wait: Option<Duration>,
    now: SystemTime,
}

impl Seen<'_> {
    /// A field that is text.
    fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn says(&self, beginning: &str) -> bool {
        self.message.starts_with(beginning)
    }

    /// The status alone decides.
    fn by_status(&self) -> Reading {
        self.because(Reason::from_status(self.status))
    }

    /// With the wait that the headers ask for, or else the sentence of a 429 or 503.
    fn because(&self, reason: Reason) -> Reading {
        let in_sentence = || if matches!(self.status, 429 | 503) { wait::in_sentence(self.message) } else { None };
        Reading { reason, retry_after: self.wait.or_else(in_sentence) }
    }
}

impl Reading {
    /// A reason that no wait of the server's belongs to.
    fn without_wait(reason: Reason) -> Self {
        Self { reason, retry_after: None }
    }
}

impl ErrorObject {
    fn read(&self, status: u16, wait: Option<Duration>, now: SystemTime) -> Answer {
        let message = self.text("message");
        let status = if status < 400 { self.status().unwrap_or(status) } else { status };
        let seen = Seen { status, message, fields: &self.fields, wait, now };
        let (reading, server) = match self.shape {
            Shape::Google => (google::read(&seen), "gemini"),
            Shape::Anthropic => (anthropic::read(&seen), "anthropic"),
            Shape::OpenAi => (openai::read(&seen), "the server"),
        };
        Answer { reading, server, code: self.code().map(str::to_owned), message: message.to_owned() }
    }

    fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The most telling name that the error gives itself.
    fn code(&self) -> Option<&str> {
        let names: &[&str] = if self.shape == Shape::Google { &["status", "code"] } else { &["code", "type"] };
        names.iter().map(|name| self.text(name)).find(|name| !name.is_empty())
    }

    /// The HTTP status that the code stands for, where the answer itself had none to give.
    fn status(&self) -> Option<u16> {
        let number = match self.fields.get("code")? {
            Value::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number.filter(|status| (400..600).contains(status))
    }
}

/// Finds the error in a body: JSON, or a stream of server-sent events.
fn error_in(text: &str) -> Option<ErrorObject> {
    if let Ok(value) = serde_json::from_str(text) {
        return find(value, DEPTH);
    }
    // https://html.spec.whatwg.org/multipage/server-sent-events.html
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    data.filter_map(|data| serde_json::from_str(data).ok()).find_map(|value| find(value, DEPTH))
}

fn find(value: Value, depth: usize) -> Option<ErrorObject> {
    match value {
        // Google wraps the errors of streams and batches.
        Value::Array(items) if depth > 0 => items.into_iter().find_map(|item| find(item, depth - 1)),
        Value::Object(mut outer) => {
            let kind = outer.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
            match outer.remove("error") {
                Some(Value::Object(fields)) => Some(classify(fields, &kind, depth)),
                // An event of OpenAI's Responses API that is itself the error, or holds what failed.
                // https://platform.openai.com/docs/api-reference/responses-streaming
                _ if kind == "error" && outer.contains_key("message") => {
                    Some(ErrorObject { shape: Shape::OpenAi, fields: outer })
                }
                _ if kind == "response.failed" && depth > 0 => find(outer.remove("response")?, depth - 1),
                _ => None,
            }
        }
        _ => None,
    }
}

fn classify(fields: Map<String, Value>, outer_kind: &str, depth: usize) -> ErrorObject {
    let message = fields.get("message").and_then(Value::as_str).unwrap_or_default();
    if depth > 0
        && message.trim_start().starts_with(['{', '['])
        && let Ok(inner) = serde_json::from_str(message)
        && let Some(found) = find(inner, depth - 1)
    {
        return found;
    }
    let shape = if outer_kind == "error" {
        Shape::Anthropic
    } else if google::is_shape(&fields) {
        Shape::Google
    } else {
        Shape::OpenAi
    };
    ErrorObject { shape, fields }
}

/// What to show of a body without an error object.
fn plain_message(text: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str(text) else {
        return text.to_owned();
    };
    let shown = ["message", "error", "detail", "title"].iter().find_map(|name| fields.get(*name)?.as_str());
    shown.unwrap_or(text).to_owned()
}
