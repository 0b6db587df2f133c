//! The 31 recorded answers, and a table with at least one answer for each rule.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::outcome::HttpError;

/// 2026-11-23T12:00:00Z, a moment before the resets in the recorded answers.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_435_200)
}

fn reading(status: u16, headers: &[(&str, &str)], body: &str) -> Reading {
    let mut read_headers = Headers::default();
    headers.iter().for_each(|(name, value)| read_headers.add(name, value.as_bytes()));
    read(status, &read_headers, body, now()).reading
}

/// The reason and the wait in milliseconds of an answer without headers.
fn of(status: u16, body: &Value) -> (Reason, Option<u128>) {
    let reading = reading(status, &[], &body.to_string());
    (reading.reason, reading.retry_after.map(|wait| wait.as_millis()))
}

fn without_wait(reason: Reason) -> (Reason, Option<u128>) {
    (reason, None)
}

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    status: u16,
    headers: std::collections::BTreeMap<String, String>,
    body: Value,
    expect: String,
}

#[test]
fn every_recorded_answer_is_read_as_expected() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/provider_errors.json");
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(cases.len(), 31);
    for case in cases {
        let headers: Vec<_> = case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let read = reading(case.status, &headers, &case.body.to_string());
        let wanted = match (case.expect.as_str(), case.name.as_str()) {
            ("key_dead" | "project_dead", _) => (Reason::InvalidKey, None),
            ("request_fault" | "request_fault_affinity", _) => (Reason::Request, None),
            ("host_fault", _) => (Reason::Host, None),
            ("key_config", _) => (Reason::Forbidden, None),
            ("model_scoped", _) | ("model_scoped_long", "g_429_three_violations") => (Reason::Model, None),
            ("model_scoped_long", _) => (Reason::Model, wait::span("10h17m5.723541104s")),
            ("cooldown_model_46s", _) => (Reason::RateLimited, wait::span("46s")),
            ("cooldown_model_26s", _) => (Reason::RateLimited, wait::span("26s")),
            ("cooldown_then_daily_if_repeats", _) => (Reason::DailyQuota, wait::span("36s")),
            ("cooldown_default", _) => (Reason::RateLimited, None),
            ("cooldown", _) => (Reason::RateLimited, wait::span("120ms")),
            ("cooldown_12s", _) => (Reason::RateLimited, wait::span("12s")),
            ("daily", _) => (Reason::DailyQuota, None),
            ("billing_org" | "billing_project", _) => (Reason::Billing, None),
            ("billing_org_until_month", _) => (Reason::Billing, wait::span("180h")),
            ("upstream_fault", _) | ("stream_error", "o_200_sse_overloaded") => (Reason::Server, None),
            ("stream_error", "g_interactions_sse_error") => (Reason::Request, None),
            (expect, name) => panic!("{name}: nothing is said about {expect}"),
        };
        assert_eq!((read.reason, read.retry_after), wanted, "{}", case.name);
    }
}

fn google(code: u16, status: &str, message: &str, details: &Value) -> Value {
    json!({"error": {"code": code, "message": message, "status": status, "details": details}})
}

fn violation(id: &str, value: &str) -> Value {
    json!({"quotaId": id, "quotaValue": value})
}

#[test]
fn googles_error_info_decides_whatever_the_message_says() {
    use Reason::{Billing, Forbidden, InvalidKey, Request};
    for (info, reason) in [
        ("API_KEY_INVALID", InvalidKey),
        ("CONSUMER_SUSPENDED", InvalidKey),
        ("CONSUMER_INVALID", InvalidKey),
        ("ACCOUNT_STATE_INVALID", InvalidKey),
        ("SERVICE_DISABLED", Forbidden),
        ("API_KEY_SERVICE_BLOCKED", Forbidden),
        ("API_KEY_HTTP_REFERRER_BLOCKED", Forbidden),
        ("API_KEY_IP_ADDRESS_BLOCKED", Forbidden),
        ("API_KEY_ANDROID_APP_BLOCKED", Forbidden),
        ("API_KEY_IOS_APP_BLOCKED", Forbidden),
        ("BILLING_DISABLED", Billing),
        ("CREDENTIALS_MISSING", Request),
    ] {
        // The status alone would give another reason in each case.
        let status = if reason == Request { 401 } else { 400 };
        let details = json!([{"@type": "type.googleapis.com/google.rpc.Help"}, {"reason": info}]);
        assert_eq!(of(status, &google(status, "X", "text", &details)), without_wait(reason), "{info}");
    }
    assert_eq!(of(400, &google(400, "X", "", &json!([{"reason": "NEW"}]))), without_wait(Request));
}

#[test]
fn googles_sentences_count_where_details_are_missing() {
    use Reason::{Billing, Forbidden, Host, InvalidKey, Model, Request};
    for (status, name, message, reason) in [
        (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", InvalidKey),
        (400, "INVALID_ARGUMENT", "API Key not found. Please pass a valid API key.", InvalidKey),
        (400, "INVALID_ARGUMENT", "API key expired. Please renew the API key.", InvalidKey),
        (400, "INVALID_ARGUMENT", "Invalid value at 'contents[0]': \"API key not valid.\"", Request),
        (403, "PERMISSION_DENIED", "Your API key was reported as leaked. Please use another API key.", InvalidKey),
        (403, "PERMISSION_DENIED", "Your project has been denied access. Please contact support.", InvalidKey),
        (403, "PERMISSION_DENIED", "You do not have permission to access the File x or it may not exist.", Request),
        (403, "PERMISSION_DENIED", "CachedContent not found (or permission denied)", Request),
        (403, "PERMISSION_DENIED", "The caller does not have permission", Forbidden),
        (400, "FAILED_PRECONDITION", "User location is not supported for the API use.", Host),
        (400, "failed_precondition", "User location is not supported for the API use.", Host),
        (400, "FAILED_PRECONDITION", "Not available in your country. Please enable billing on your project", Billing),
        (400, "FAILED_PRECONDITION", "The File x is not in an ACTIVE state", Request),
        (400, "INVALID_ARGUMENT", "User location is not supported", Request),
        (404, "NOT_FOUND", "This model m is no longer available to new users.", Model),
        (404, "NOT_FOUND", "models/m is not found. It is no longer available to new users", Request),
        (404, "NOT_FOUND", "This model is not known.", Request),
        (401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", InvalidKey),
    ] {
        assert_eq!(of(status, &google(status, name, message, &json!([]))), without_wait(reason), "{message}");
    }
}

#[test]
fn a_google_quota_is_read_from_its_violations() {
    use Reason::{DailyQuota, Model, RateLimited};
    let minute = violation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "5");
    let day = violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "20");
    let none = violation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "0");
    let boilerplate = "You exceeded your current quota, please check your plan and billing details.";
    for (violations, delay, reason, wait) in [
        (json!([minute]), "38.601s", RateLimited, Some(38_601)),
        (json!([minute]), "373.8ms", RateLimited, Some(373)),
        (json!([minute]), "0s", RateLimited, None),
        (json!([minute]), "-5s", RateLimited, None),
        (json!([minute, day]), "36s", DailyQuota, Some(36_000)),
        (json!([day, none]), "36s", Model, None),
        (json!([none]), "60s", Model, None),
        (json!([none]), "10h17m5s", Model, Some(37_025_000)),
        (json!([minute]), "99999h", RateLimited, Some(LONGEST_WAIT.as_millis())),
    ] {
        let details = json!([{"violations": violations}, {"retryDelay": delay}]);
        let body = google(429, "RESOURCE_EXHAUSTED", boilerplate, &details);
        assert_eq!(of(429, &body), (reason, wait), "{details}");
    }
}

#[test]
fn a_google_quota_without_details_is_read_from_its_message() {
    use Reason::{Model, RateLimited};
    let metric = "* Quota exceeded for metric: generativelanguage.googleapis.com/x_requests";
    for (message, reason, wait) in [
        (format!("{metric}, limit: 20, model: m\nPlease retry in 36.4s."), RateLimited, Some(36_400)),
        (format!("{metric}, limit: 0, model: m\nPlease retry in 36.4s."), Model, None),
        (format!("{metric}, limit: 5\n{metric}, limit: 0\nPlease retry in 2h0m0s."), Model, Some(7_200_000)),
        (format!("{metric}, limit: 05, model: m"), RateLimited, None),
        ("The limit: 0 was met".to_owned(), RateLimited, None),
        ("quota of requests per day".to_owned(), RateLimited, None),
    ] {
        assert_eq!(of(429, &google(429, "RESOURCE_EXHAUSTED", &message, &json!([]))), (reason, wait), "{message}");
    }
    // Violations that have a limit say more than the text.
    let details = json!([{"violations": [violation("GenerateRequestsPerMinute", "5")]}]);
    let message = format!("{metric}, limit: 0");
    assert_eq!(of(429, &google(429, "X", &message, &details)), (RateLimited, None));
}

#[test]
fn the_body_goes_before_the_headers_and_they_before_nothing() {
    let body = |delay: &str| google(429, "RESOURCE_EXHAUSTED", "", &json!([{"retryDelay": delay}])).to_string();
    let wait = |status, body: &str| reading(status, &[("Retry-After", "7")], body).retry_after;
    assert_eq!(wait(429, &body("36s")), Some(Duration::from_secs(36)));
    assert_eq!(wait(429, &body("")), Some(Duration::from_secs(7)));
    assert_eq!(wait(503, &body("36s")), Some(Duration::from_secs(36)));
    assert_eq!(wait(503, &body("")), Some(Duration::from_secs(7)));
    assert_eq!(wait(429, "busy"), Some(Duration::from_secs(7)));
    assert_eq!(
        wait(429, r#"{"error": {"type": "requests", "message": "Please try again in 2s"}}"#),
        Some(Duration::from_secs(7))
    );
    assert_eq!(reading(429, &[("Retry-After", "0")], "").retry_after, None);
    assert_eq!(reading(503, &[("Retry-After", "999999999")], "").retry_after, Some(LONGEST_WAIT));
}

#[test]
fn openais_codes_are_told_apart() {
    use Reason::{Billing, Forbidden, Host, InvalidKey, Model, RateLimited, Request, Server};
    let quota = "You exceeded your current quota, please check your plan and billing details.";
    for (status, kind, code, message, reason) in [
        (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: x", InvalidKey),
        (401, "invalid_request_error", "account_deactivated", "", InvalidKey),
        (401, "invalid_request_error", "", "You didn't provide an API key. You need to", Request),
        (401, "invalid_request_error", "", "IP not authorized", Host),
        (401, "invalid_request_error", "", "Your IP address is not on the list", Host),
        (
            401,
            "",
            "",
            "You have insufficient permissions for this operation. Missing scopes: model.request.",
            Forbidden,
        ),
        (403, "request_forbidden", "unsupported_country_region_territory", "", Host),
        (403, "invalid_request_error", "model_not_found", "Project x does not have access to model y", Model),
        (403, "", "", "", Forbidden),
        (404, "invalid_request_error", "model_not_found", "", Model),
        (404, "invalid_request_error", "", "", Request),
        (400, "invalid_request_error", "model_not_found", "", Request),
        (429, "insufficient_quota", "something_new", quota, Billing),
        (429, "", "insufficient_quota", quota, Billing),
        (429, "", "credit_balance_exhausted", quota, Billing),
        (429, "", "organization_spend_limit_exceeded", quota, Billing),
        (429, "", "project_spend_limit_exceeded", quota, Billing),
        (429, "", "organization_usage_limit_exceeded", quota, Billing),
        (400, "invalid_request_error", "billing_hard_limit_reached", "", Billing),
        (429, "billing_not_active", "billing_not_active", "", Billing),
        (429, "requests", "rate_limit_exceeded", quota, RateLimited),
        (500, "server_error", "", "", Server),
    ] {
        let body = json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
        assert_eq!(of(status, &body), without_wait(reason), "{status} {kind} {code} {message}");
    }
    let body = json!({"error": {"message": "Limit 3. Please try again in 6m0s.", "type": "requests", "code": "rate_limit_exceeded"}});
    assert_eq!(of(429, &body), (RateLimited, Some(360_000)));
    // Azure: a status as the code, and seconds as words.
    let body = json!({"error": {"code": "429", "message": "Rate limit is exceeded. Please retry after 26 seconds."}});
    assert_eq!(of(429, &body), (RateLimited, Some(26_000)));
}

#[test]
fn anthropics_types_are_told_apart() {
    use Reason::{Billing, Forbidden, InvalidKey, RateLimited, Request, Server};
    for (status, kind, message, reason) in [
        (400, "invalid_request_error", "messages: field required", Request),
        (400, "invalid_request_error", "Your credit balance is too low to access the API.", Billing),
        (400, "invalid_request_error", "You have reached your specified API usage limits.", Billing),
        (400, "invalid_request_error", "You have reached your specified workspace API usage limits.", Billing),
        (401, "authentication_error", "invalid x-api-key", InvalidKey),
        (401, "authentication_error", "x-api-key header is required", Request),
        (402, "billing_error", "", Billing),
        (403, "permission_error", "", Forbidden),
        (404, "not_found_error", "", Request),
        (413, "request_too_large", "", Request),
        (429, "rate_limit_error", "Number of requests has exceeded your limit", RateLimited),
        (500, "api_error", "", Server),
        (529, "overloaded_error", "", Server),
    ] {
        let body = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"});
        assert_eq!(of(status, &body), without_wait(reason), "{status} {message}");
        if kind != "invalid_request_error" && status != 401 {
            assert_eq!(of(200, &body), without_wait(reason), "in a stream: {kind}");
        }
    }
    let kinds = [("authentication_error", InvalidKey), ("timeout_error", Server)];
    for (kind, reason) in kinds {
        assert_eq!(of(200, &json!({"type": "error", "error": {"type": kind}})), without_wait(reason), "{kind}");
    }
    let spent = json!({"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low"}});
    assert_eq!(of(200, &spent), without_wait(Billing));
}

#[test]
fn an_error_inside_a_200_is_read_from_its_code() {
    use Reason::{DailyQuota, Forbidden, Host, InvalidKey, Model, RateLimited, Request, Server};
    for (code, reason) in [
        ("invalid_request", Request),
        ("authentication", InvalidKey),
        ("unauthenticated", InvalidKey),
        ("permission_denied", Forbidden),
        ("not_found", Request),
        ("rate_limit_exceeded", RateLimited),
        ("resource_exhausted", RateLimited),
        ("quota_exceeded", DailyQuota),
        ("cancelled", Request),
        ("unknown", Server),
        ("internal", Server),
        ("data_loss", Server),
        ("unimplemented", Server),
        ("unavailable", Server),
        ("deadline_exceeded", Server),
    ] {
        assert_eq!(of(200, &json!({"error": {"code": code, "message": ""}})), without_wait(reason), "{code}");
        let named = json!({"error": {"status": code.to_uppercase(), "message": ""}});
        let reason = if code == "quota_exceeded" { RateLimited } else { reason };
        assert_eq!(of(200, &named), without_wait(reason), "{named}");
    }
    for (code, reason) in [
        ("invalid_api_key", InvalidKey),
        ("account_deactivated", InvalidKey),
        ("authentication_error", InvalidKey),
        ("permission_error", Forbidden),
        ("unsupported_country_region_territory", Host),
        ("model_not_found", Model),
        ("rate_limit_exceeded", RateLimited),
        ("rate_limit_error", RateLimited),
        ("slow_down", RateLimited),
        ("server_error", Server),
        ("server_is_overloaded", Server),
        ("service_unavailable_error", Server),
        ("overloaded_error", Server),
        ("never_heard_of", Request),
    ] {
        assert_eq!(of(200, &json!({"error": {"code": code, "type": null}})), without_wait(reason), "{code}");
    }
    assert_eq!(of(200, &json!({"error": {"code": null, "type": "server_error"}})), without_wait(Server));
    // A status in the body counts where the answer has none of its own, and nowhere else.
    assert_eq!(of(200, &json!({"error": {"code": 503, "message": ""}})), without_wait(Server));
    assert_eq!(of(200, &json!({"error": {"code": "429", "message": ""}})), without_wait(RateLimited));
    assert_eq!(of(200, &json!({"error": {"code": 700, "message": ""}})), without_wait(Request));
    assert_eq!(of(400, &json!({"error": {"code": 429, "message": ""}})), without_wait(Request));
    assert_eq!(of(500, &google(429, "RESOURCE_EXHAUSTED", "", &json!([]))), without_wait(Server));
}

#[test]
fn an_error_is_found_in_its_wrappings() {
    let plain = json!({"error": {"code": 400, "message": "API key expired.", "status": "INVALID_ARGUMENT"}});
    let text = plain.to_string();
    for wrapped in [
        json!([plain]).to_string(),
        json!([{"candidates": []}, plain]).to_string(),
        json!({"error": {"code": 400, "message": text}}).to_string(),
        json!({"error": {"message": format!(" [{text}]"), "type": "upstream"}}).to_string(),
        json!({"type": "response.failed", "response": plain}).to_string(),
        format!("event: error\ndata: {text}\n\n"),
        format!(": hello\r\ndata: {{\"candidates\": []}}\r\n\r\ndata:{text}\r\n\r\n"),
    ] {
        assert_eq!(reading(400, &[], &wrapped).reason, Reason::InvalidKey, "{wrapped}");
    }
    let event = json!({"type": "error", "code": "server_error", "message": "x", "param": null});
    assert_eq!(of(200, &event), without_wait(Reason::Server));
    assert_eq!(of(200, &json!({"type": "error", "code": "server_error"})), without_wait(Reason::Request));
}

#[test]
fn deep_wrappings_are_left_alone() {
    let mut body = json!({"error": {"code": 400, "message": "API key expired.", "status": "INVALID_ARGUMENT"}});
    for _ in 0..6 {
        body = json!({"error": {"message": body.to_string()}});
    }
    assert_eq!(of(400, &body), without_wait(Reason::Request));
    let deep = "[".repeat(60_000);
    assert_eq!(reading(503, &[], &deep).reason, Reason::Server);
    assert_eq!(reading(503, &[], &format!("{deep}{}", "]".repeat(60_000))).reason, Reason::Server);
    assert_eq!(reading(503, &[], &format!("{{\"error\":{{\"message\":{deep}")).reason, Reason::Server);
}

#[test]
fn a_body_that_says_nothing_leaves_it_to_the_status() {
    for body in [
        "",
        "<html>429 Too Many Requests API_KEY_INVALID insufficient_quota</html>",
        "{\"error\":",
        "null",
        "{}",
        "[]",
        "\"429\"",
        r#"{"error": "invalid_api_key"}"#,
        r#"{"error": null}"#,
        r#"{"error": {}}"#,
        r#"{"error": {"code": 429.5, "status": 7, "details": {}}}"#,
        r#"{"message": "You exceeded your current quota"}"#,
        r#"{"type": "response.failed"}"#,
    ] {
        for status in [400, 401, 402, 403, 404, 429, 500, 503] {
            assert_eq!(reading(status, &[], body).reason, Reason::from_status(status), "{status} {body}");
        }
    }
}

/// What other key pools got wrong.
#[test]
fn a_429_in_the_text_is_no_rate_limit() {
    let prompt = "Invalid value at 'contents[0]': \"429 RESOURCE_EXHAUSTED, Please retry in 30s\"";
    assert_eq!(of(400, &google(400, "INVALID_ARGUMENT", prompt, &json!([]))), without_wait(Reason::Request));
    let html = "<h1>500</h1> upstream said: 429 Too Many Requests";
    assert_eq!(reading(500, &[], html), Reading::without_wait(Reason::Server));
}

#[test]
fn an_invalid_key_is_found_in_the_details_alone() {
    let details = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]);
    assert_eq!(of(400, &google(400, "INVALID_ARGUMENT", "Bad Request", &details)), without_wait(Reason::InvalidKey));
    // Neither the status nor the code, the details alone tell whose body this is.
    let body = json!({"error": {"type": "x", "details": details}});
    assert_eq!(of(400, &body), without_wait(Reason::InvalidKey));
}

#[test]
fn a_permission_denied_is_not_a_dead_key() {
    for message in ["The caller does not have permission", "You do not have permission to access the File abc"] {
        let (reason, _) = of(403, &google(403, "PERMISSION_DENIED", message, &json!([])));
        assert_ne!(reason, Reason::InvalidKey, "{message}");
    }
}

fn a_json() -> impl Strategy<Value = Value> {
    let name =
        "error|code|type|status|message|details|reason|violations|quotaId|quotaValue|retryDelay|response|error_code";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(error|response.failed|429|36s|PerDay|0|\\{\"error\":\\{\\}\\}|retry in 9999999999999999999h|é🔑|limit: 0|.{0,20})".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(name, inner, 0..6).prop_map(|map| Value::from(Map::from_iter(map))),
        ]
    })
}

fn some_headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name = "retry-after|Retry-After-Ms|ratelimit|x-ratelimit-(remaining|reset)(-tokens)?|anthropic-ratelimit-tokens-(remaining|reset)|[a-z-]{0,12}";
    let value = prop_oneof![
        "(0|-1|[0-9]{1,25}(\\.[0-9]*)?[a-zµ]{0,2}|\"a\";r=0;t=[0-9]{1,25}|[A-Z][a-z]{2}, [0-9]{2} Nov [0-9]{4} 08:49:37 GMT|[0-9]{4}-[0-9]{2}-31T00:00:00Z)"
            .prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..30),
    ];
    proptest::collection::vec((name, value), 0..6)
}

proptest! {
    #[test]
    fn no_answer_panics(status in any::<u16>(), headers in some_headers(), body in a_json(), cut in any::<u16>(), sse in any::<bool>()) {
        let mut body = body.to_string();
        if sse {
            body = format!("data: {body}");
        }
        let bytes = body.as_bytes();
        let bytes = if cut % 3 == 0 { &bytes[..usize::from(cut).min(bytes.len())] } else { bytes };
        let error = HttpError::from_parts(status, &headers, bytes);
        let _ = (error.to_string(), format!("{error:?}"), HttpError::from_stream_event(bytes));
    }

    #[test]
    fn no_bytes_panic(status in any::<u16>(), headers in some_headers(), body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = HttpError::from_parts(status, headers, body).to_string();
    }
}
