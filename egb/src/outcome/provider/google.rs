//! The errors of Google's APIs, Gemini before all.
//!
//! The model is `google.rpc.Status` with details (<https://google.aip.dev/193>); the reasons are those of
//! `google.api.ErrorReason` (<https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>);
//! what Gemini means by them is in <https://ai.google.dev/gemini-api/docs/troubleshooting>, the codes of
//! its Interactions API in <https://ai.google.dev/gemini-api/docs/api-errors>.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Reading, Reason, Seen, wait};

/// Per-minute windows ask for no more. Where a longer one is shut, such a wait is not meant for it.
const MINUTE: Duration = Duration::from_mins(1);

/// Whether an error object is Google's: it has a canonical status or typed details, or is one of the
/// Interactions API, which has a code and nothing of what OpenAI adds to it.
pub(super) fn is_shape(fields: &Map<String, Value>) -> bool {
    let code = fields.get("code").and_then(Value::as_str);
    fields.get("status").is_some_and(Value::is_string)
        || fields.get("details").and_then(Value::as_array).is_some_and(|details| details.iter().any(is_typed))
        || code.is_some_and(|code| status_of(code).is_some())
            && !fields.contains_key("type")
            && !fields.contains_key("param")
}

pub(super) fn read(seen: &Seen<'_>) -> Reading {
    let name = if seen.text("status").is_empty() { seen.text("code") } else { seen.text("status") };
    let status = if seen.status < 400 { status_of(name).unwrap_or(seen.status) } else { seen.status };
    let seen = &Seen { status, ..*seen };
    if let Some(reason) = details(seen).find_map(|detail| by_error_info(detail.get("reason")?.as_str()?)) {
        return Reading::without_wait(reason);
    }
    match status {
        400 if is_dead_key(seen) => Reading::without_wait(Reason::InvalidKey),
        400 if name.eq_ignore_ascii_case("FAILED_PRECONDITION") => failed_precondition(seen),
        403 => forbidden(seen),
        // The model was closed to newcomers; the projects of other keys may be older.
        404 if seen.says("This model ") && seen.message.contains("no longer available to new users") => {
            Reading::without_wait(Reason::Model)
        }
        429 => quota(seen, name),
        _ => {
            let by_status = seen.by_status();
            Reading { retry_after: retry_delay(seen).or(by_status.retry_after), ..by_status }
        }
    }
}

fn is_typed(detail: &Value) -> bool {
    text(detail, "@type").starts_with("type.googleapis.com/")
}

/// `google.api.ErrorReason`: the reason in `google.rpc.ErrorInfo`.
fn by_error_info(reason: &str) -> Option<Reason> {
    Some(match reason {
        // Its project is suspended, deleted or closed: no call of this key succeeds again.
        "API_KEY_INVALID" | "CONSUMER_SUSPENDED" | "CONSUMER_INVALID" | "ACCOUNT_STATE_INVALID" => Reason::InvalidKey,
        // The key's or the project's settings. Whoever owns it can change them; other keys are free of them.
        "SERVICE_DISABLED"
        | "API_KEY_SERVICE_BLOCKED"
        | "API_KEY_HTTP_REFERRER_BLOCKED"
        | "API_KEY_IP_ADDRESS_BLOCKED"
        | "API_KEY_ANDROID_APP_BLOCKED"
        | "API_KEY_IOS_APP_BLOCKED" => Reason::Forbidden,
        "BILLING_DISABLED" => Reason::Billing,
        // The call carried no key, or the method takes none: a fault that would disable every key in turn.
        "CREDENTIALS_MISSING" => Reason::Request,
        _ => return None,
    })
}

/// Google's sentences of `API_KEY_INVALID`, for clients that drop the details.
fn is_dead_key(seen: &Seen<'_>) -> bool {
    ["API key not valid.", "API Key not found.", "API key expired."].iter().any(|said| seen.says(said))
}

/// 400 `FAILED_PRECONDITION` in Gemini's troubleshooting guide.
fn failed_precondition(seen: &Seen<'_>) -> Reading {
    Reading::without_wait(if seen.says("User location is not supported") {
        Reason::Host
    } else if seen.message.contains("enable billing") {
        Reason::Billing
    } else {
        // A file that is not processed yet, for one.
        Reason::Request
    })
}

/// 403s that have no `ErrorInfo`, told by their sentence.
fn forbidden(seen: &Seen<'_>) -> Reading {
    // https://ai.google.dev/gemini-api/docs/troubleshooting: leaked keys are blocked.
    if seen.says("Your API key was reported as leaked") || seen.says("Your project has been denied access") {
        return Reading::without_wait(Reason::InvalidKey);
    }
    // Files and caches belong to the project that made them: the key is good, it is the wrong one for
    // this request (https://ai.google.dev/gemini-api/docs/files, .../caching).
    if seen.says("You do not have permission to access ") || seen.says("CachedContent not found") {
        return Reading::without_wait(Reason::Request);
    }
    seen.by_status()
}

/// 429: of several violations the one that lasts longest decides.
/// <https://ai.google.dev/gemini-api/docs/rate-limits>, `google.rpc.QuotaFailure` in
/// <https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto>
fn quota(seen: &Seen<'_>, name: &str) -> Reading {
    let wait = retry_delay(seen).or_else(|| wait::in_sentence(seen.message)).or(seen.wait);
    let violations: Vec<&Value> =
        details(seen).filter_map(|detail| detail.get("violations")?.as_array()).flatten().collect();
    if violations.iter().any(|violation| text(violation, "quotaValue") == "0")
        || violations.is_empty() && has_limit_0(seen.message)
    {
        // The project may not use this model at all; the seconds to the next minute won't change that.
        return Reading { reason: Reason::Model, retry_after: wait.filter(|wait| *wait > MINUTE) };
    }
    let is_daily = |violation: &&Value| text(violation, "quotaId").contains("PerDay");
    let daily = violations.iter().any(is_daily) || name == "quota_exceeded";
    Reading { reason: if daily { Reason::DailyQuota } else { Reason::RateLimited }, retry_after: wait }
}

/// `limit: 0` in one of the lines that a quota message lists: "* Quota exceeded for metric: .., limit: 0, model: ..".
fn has_limit_0(message: &str) -> bool {
    let lines = message.split("Quota exceeded for metric: ").skip(1);
    lines
        .filter_map(|line| line.split_once(", limit: "))
        .any(|(_, limit)| limit.split([',', ' ', '\n']).next() == Some("0"))
}

/// `google.rpc.RetryInfo`.
fn retry_delay(seen: &Seen<'_>) -> Option<Duration> {
    details(seen).find_map(|detail| wait::span(detail.get("retryDelay")?.as_str()?))
}

fn details<'a>(seen: &Seen<'a>) -> impl Iterator<Item = &'a Value> + use<'a> {
    seen.fields.get("details").and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The HTTP status of a canonical status (<https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto>)
/// or of an Interactions API code.
fn status_of(name: &str) -> Option<u16> {
    Some(match name.to_ascii_lowercase().as_str() {
        "invalid_argument" | "failed_precondition" | "invalid_request" | "parameter_unknown" => 400,
        "unauthenticated" | "authentication" => 401,
        "permission_denied" => 403,
        "not_found" | "model_not_found" => 404,
        "resource_exhausted" | "rate_limit_exceeded" | "quota_exceeded" => 429,
        "cancelled" => 499,
        "unknown" | "internal" | "data_loss" | "unimplemented" | "deadline_exceeded" => 500,
        "unavailable" => 503,
        _ => return None,
    })
}
