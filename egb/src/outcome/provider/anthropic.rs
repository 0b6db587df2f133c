//! The errors of Anthropic's API.
//! <https://platform.claude.com/docs/en/api/errors>, <https://platform.claude.com/docs/en/api/rate-limits>

use serde_json::Value;

use super::{Reading, Reason, Seen, wait};

pub(super) fn read(seen: &Seen<'_>) -> Reading {
    let kind = seen.text("type");
    let status = if seen.status < 400 { status_of(kind).unwrap_or(seen.status) } else { seen.status };
    let seen = &Seen { status, ..*seen };
    match status {
        // A spent balance and the limits that owners set themselves come as bad requests.
        400 if seen.says("Your credit balance is too low") || seen.says("You have reached your specified ") => {
            Reading::without_wait(Reason::Billing)
        }
        // The call carried no key: a fault that would disable every key in turn.
        401 if seen.says("x-api-key header is required") => Reading::without_wait(Reason::Request),
        // The tier's monthly cap: no retry-after, and it lasts until the first of the month, 00:00 UTC.
        429 if error_code(seen) == "enforced_spend_limit_reached" => {
            Reading { reason: Reason::Billing, retry_after: wait::until_next_month(seen.now) }
        }
        _ => seen.by_status(),
    }
}

fn error_code<'a>(seen: &Seen<'a>) -> &'a str {
    seen.fields.get("details").and_then(|details| details.get("error_code")).and_then(Value::as_str).unwrap_or_default()
}

/// The status of an error inside a stream, whose own is 200.
fn status_of(kind: &str) -> Option<u16> {
    Some(match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "rate_limit_error" => 429,
        "api_error" | "timeout_error" | "overloaded_error" => 500,
        _ => return None,
    })
}
