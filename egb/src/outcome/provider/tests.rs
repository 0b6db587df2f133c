//! The 31 recorded answers, what surrounds an error, and what other key pools got wrong; `rules` has at
//! least one answer for each rule of a provider.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::outcome::HttpError;

mod rules;

/// A moment before the resets in the recorded answers.
fn now() -> SystemTime {
    let now: jiff::Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    now.try_into().unwrap()
}

fn google(code: u16, status: &str, message: &str, details: &Value) -> Value {
    json!({"error": {"code": code, "message": message, "status": status, "details": details}})
}

fn reading(status: u16, headers: &[(&str, &str)], body: &str) -> Reading {
    let mut read_headers = Headers::default();
    for (name, value) in headers {
        read_headers.add(name, value.as_bytes());
    }
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
            ("request_fault" | "request_fault_affinity", _) | ("stream_error", "g_interactions_sse_error") => {
                (Reason::Request, None)
            }
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
            (expect, name) => panic!("{name}: nothing is said about {expect}"),
        };
        assert_eq!((read.reason, read.retry_after), wanted, "{}", case.name);
    }
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
    let plain = json!({"error": {"code": 400, "message": "API key expired.", "status": "INVALID_ARGUMENT"}});
    let wrap: [fn(Value) -> Value; 3] = [
        |inner| json!([inner]),
        |inner| json!({"type": "response.failed", "response": inner}),
        |inner| json!({"error": {"message": inner.to_string()}}),
    ];
    for wrap in wrap {
        let wrapped = |times| (0..times).fold(plain.clone(), |inner, _| wrap(inner));
        assert_eq!(of(400, &wrapped(DEPTH)), without_wait(Reason::InvalidKey));
        assert_eq!(of(400, &wrapped(DEPTH + 1)), without_wait(Reason::Request));
        assert_eq!(of(400, &wrapped(DEPTH + 3)), without_wait(Reason::Request));
    }
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
