//! How the Anthropic API speaks: <https://docs.anthropic.com/en/api/errors> and
//! <https://docs.anthropic.com/en/api/rate-limits>.

use serde_json::{Value, json};

use super::{Reply, tokens};
use crate::state::Problem;

pub(super) const MODELS: [&str; 2] = ["claude-sonnet-4-5", "claude-haiku-4-5"];

fn error(status: u16, kind: &str, message: &str) -> Reply {
    let error = json!({ "type": kind, "message": message });
    Reply::new(status, json!({ "type": "error", "error": error, "request_id": "req_FAKE" }))
}

pub(super) fn answer(model: &str, prompt: &str) -> Value {
    let text = format!("You said: {prompt}");
    json!({
        "id": "msg_FAKE",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{ "type": "text", "text": text }],
        "stop_reason": "end_turn",
        "usage": { "input_tokens": tokens(prompt), "output_tokens": tokens(&text) },
    })
}

pub(super) fn refusal(problem: &Problem) -> Reply {
    let invalid = "invalid_request_error";
    match problem {
        Problem::KeyMissing => error(401, "authentication_error", "x-api-key header is required"),
        Problem::KeyUnknown | Problem::KeyRevoked | Problem::KeyLeaked => {
            error(401, "authentication_error", "invalid x-api-key")
        }
        Problem::KeySuspended(_) => error(403, "permission_error", "This organization has been disabled."),
        Problem::ServiceDisabled => {
            error(403, "permission_error", "Your API key does not have permission to use the specified resource.")
        }
        Problem::OutOfCredit => {
            let message = "Your credit balance is too low to access the Anthropic API. \
                           Please go to Plans & Billing to upgrade or purchase credits.";
            error(400, invalid, message)
        }
        Problem::QuotaExceeded { exceeded, .. } => {
            // Whole seconds, rounded up.
            let seconds = exceeded.retry_delay.as_secs() + u64::from(exceeded.retry_delay.subsec_nanos() > 0);
            error(429, "rate_limit_error", "Number of requests has exceeded your per-minute rate limit")
                .with("retry-after", &seconds)
                .with("anthropic-ratelimit-requests-limit", &exceeded.limit)
                .with("anthropic-ratelimit-requests-remaining", &0)
        }
        Problem::Overloaded => error(529, "overloaded_error", "Overloaded"),
        Problem::Malformed(description) => error(400, invalid, description),
        Problem::NoSuchModel(model) => error(404, "not_found_error", &format!("model: {model}")),
    }
}
