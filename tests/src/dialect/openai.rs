//! How the OpenAI API speaks: <https://platform.openai.com/docs/guides/error-codes> and
//! <https://platform.openai.com/docs/guides/rate-limits>.

use serde_json::{Value, json};

use super::{Reply, tokens};
use crate::quota::{Exceeded, Window};
use crate::state::Problem;

pub(super) const MODELS: [&str; 2] = ["gpt-5", "gpt-5-mini"];

fn error(status: u16, kind: &str, code: Option<&str>, message: &str) -> Reply {
    Reply::new(status, json!({ "error": { "message": message, "type": kind, "param": null, "code": code } }))
}

pub(super) fn answer(model: &str, prompt: &str) -> Value {
    let text = format!("You said: {prompt}");
    json!({
        "id": "chatcmpl-0000",
        "object": "chat.completion",
        "created": 1_795_435_200,
        "model": model,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": text, "refusal": null },
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": {
            "prompt_tokens": tokens(prompt),
            "completion_tokens": tokens(&text),
            "total_tokens": tokens(prompt) + tokens(&text),
        },
    })
}

pub(super) fn refusal(problem: &Problem) -> Reply {
    let invalid = "invalid_request_error";
    match problem {
        Problem::KeyMissing => error(401, invalid, None, "You didn't provide an API key."),
        Problem::KeyUnknown | Problem::KeyRevoked | Problem::KeyLeaked => {
            error(401, invalid, Some("invalid_api_key"), "Incorrect API key provided: sk-FAKE********0000.")
        }
        Problem::KeySuspended(_) => {
            let message = "The OpenAI account associated with this API key has been deactivated.";
            error(401, invalid, Some("account_deactivated"), message)
        }
        Problem::ServiceDisabled => error(
            403,
            invalid,
            None,
            "You have insufficient permissions for this operation. Missing scopes: model.request.",
        ),
        Problem::OutOfCredit => {
            let message = "You exceeded your current quota, please check your plan and billing details.";
            error(429, "insufficient_quota", Some("insufficient_quota"), message)
        }
        Problem::QuotaExceeded { model, exceeded } => quota_exceeded(model, *exceeded),
        Problem::Overloaded => {
            error(503, "server_error", None, "The engine is currently overloaded, please try again later")
        }
        Problem::Malformed(description) => error(400, invalid, None, description),
        Problem::NoSuchModel(model) => {
            let message = format!("The model `{model}` does not exist or you do not have access to it.");
            error(404, invalid, Some("model_not_found"), &message)
        }
    }
}

fn quota_exceeded(model: &str, Exceeded { window, limit, retry_delay }: Exceeded) -> Reply {
    let (unit, kind) = match window {
        Window::Minute => ("min", "requests per min (RPM)"),
        Window::Day => ("day", "requests per day (RPD)"),
    };
    let wait = format!("{:.3}s", retry_delay.as_secs_f64());
    let message = format!(
        "Rate limit reached for {model} in organization org-FAKE on {kind}: Limit {limit} / {unit}. \
         Please try again in {wait}."
    );
    error(429, "requests", Some("rate_limit_exceeded"), &message)
        .with("x-ratelimit-limit-requests", &limit)
        .with("x-ratelimit-remaining-requests", &0)
        .with("x-ratelimit-reset-requests", &wait)
}
