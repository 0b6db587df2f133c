//! The errors of OpenAI and of the many servers that speak its dialect, Azure's among them.
//! <https://developers.openai.com/api/docs/guides/error-codes>,
//! <https://developers.openai.com/api/docs/guides/rate-limits>

use super::{Reading, Reason, Seen};

pub(super) fn read(seen: &Seen<'_>) -> Reading {
    let (code, kind) = (seen.text("code"), seen.text("type"));
    let status =
        if seen.status < 400 { status_of(code).or(status_of(kind)).unwrap_or(seen.status) } else { seen.status };
    let seen = &Seen { status, ..*seen };
    if kind == "insufficient_quota" || is_billing(code) {
        return Reading::without_wait(Reason::Billing);
    }
    match status {
        // The call carried no key: a fault that would disable every key in turn.
        401 if seen.says("You didn't provide an API key") => Reading::without_wait(Reason::Request),
        // "IP not authorized": the address is not on the organization's list. No code of it is documented.
        401 if ["IP not authorized", "IP address"].iter().any(|said| seen.message.contains(said)) => {
            Reading::without_wait(Reason::Host)
        }
        // A restricted key; others may have the scope.
        401 if seen.says("You have insufficient permissions for this operation") => {
            Reading::without_wait(Reason::Forbidden)
        }
        403 if code == "unsupported_country_region_territory" => Reading::without_wait(Reason::Host),
        403 | 404 if code == "model_not_found" => Reading::without_wait(Reason::Model),
        _ => seen.by_status(),
    }
}

/// "Retrying billing, spend, or quota errors will not restore API access": inspect `code`, as `type`
/// is the broader `insufficient_quota`.
fn is_billing(code: &str) -> bool {
    matches!(
        code,
        "insufficient_quota"
            | "credit_balance_exhausted"
            | "organization_spend_limit_exceeded"
            | "project_spend_limit_exceeded"
            | "organization_usage_limit_exceeded"
            | "billing_hard_limit_reached"
            | "billing_not_active"
    )
}

/// The status of an error inside a stream, whose own is 200.
fn status_of(name: &str) -> Option<u16> {
    Some(match name {
        "invalid_api_key" | "account_deactivated" | "authentication_error" => 401,
        "permission_error" | "unsupported_country_region_territory" => 403,
        "model_not_found" => 404,
        "rate_limit_exceeded" | "rate_limit_error" | "slow_down" => 429,
        "server_error" | "server_is_overloaded" | "service_unavailable_error" | "overloaded_error" => 503,
        _ => return None,
    })
}
