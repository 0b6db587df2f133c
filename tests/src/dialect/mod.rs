//! How providers say what the server has to say: the paths, the place of the key, bodies and headers.

use axum::http::HeaderMap;
use serde_json::{Value, json};

use crate::state::Problem;

mod anthropic;
pub(crate) mod google;
#[cfg(feature = "grpc")]
pub(crate) mod grpc;
mod openai;

/// A provider's way to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Google,
    OpenAi,
    Anthropic,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

impl Reply {
    fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    fn with(mut self, header: &'static str, value: &impl ToString) -> Self {
        self.headers.push((header, value.to_string()));
        self
    }
}

impl Dialect {
    pub(crate) fn models(self) -> &'static [&'static str] {
        match self {
            Self::Google => &google::MODELS,
            Self::OpenAi => &openai::MODELS,
            Self::Anthropic => &anthropic::MODELS,
        }
    }

    /// The key of a request, from where the provider looks for it.
    pub(crate) fn key(self, headers: &HeaderMap) -> Option<String> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let key = match self {
            Self::Google => text("x-goog-api-key"),
            Self::OpenAi => text("authorization").and_then(|value| value.strip_prefix("Bearer ")),
            Self::Anthropic => text("x-api-key"),
        };
        key.map(str::to_owned)
    }

    /// What was asked, or what is wrong with the body.
    pub(crate) fn prompt(self, body: &[u8]) -> Result<String, String> {
        let body = serde_json::from_slice(body).map_err(|error| format!("Unexpected token. {error}"))?;
        match self {
            Self::Google => google::prompt(&body),
            Self::OpenAi | Self::Anthropic => last_message(&body),
        }
    }

    pub(crate) fn answer(self, model: &str, prompt: &str) -> Reply {
        let body = match self {
            Self::Google => google::answer(model, prompt),
            Self::OpenAi => openai::answer(model, prompt),
            Self::Anthropic => anthropic::answer(model, prompt),
        };
        Reply::new(200, body)
    }

    /// The models there are.
    pub(crate) fn list(self) -> Reply {
        let body = match self {
            Self::Google => google::models(self.models()),
            Self::OpenAi | Self::Anthropic => {
                let models: Vec<Value> = self.models().iter().map(|model| json!({ "id": model })).collect();
                json!({ "object": "list", "data": models })
            }
        };
        Reply::new(200, body)
    }

    pub(crate) fn refusal(self, problem: &Problem) -> Reply {
        match self {
            Self::Google => google::refusal(problem),
            Self::OpenAi => openai::refusal(problem),
            Self::Anthropic => anthropic::refusal(problem),
        }
    }
}

/// The model that a body names, in dialects whose path does not.
pub(crate) fn model_of(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body["model"].as_str().unwrap_or_default().to_owned()
}

/// The text of the last message of a chat.
fn last_message(body: &Value) -> Result<String, String> {
    let messages = body["messages"].as_array().ok_or("messages: Field required")?;
    let content =
        messages.last().map(|message| &message["content"]).ok_or("messages: at least one message is required")?;
    let text = content.as_str().or_else(|| content[0]["text"].as_str());
    text.map(str::to_owned).ok_or_else(|| "messages: the content is no text".to_owned())
}

fn tokens(text: &str) -> usize {
    text.split_whitespace().count()
}
