//! What is kept and shown of an answer.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::outcome::Verdict;

const KEY: &str = "AIzaSyFAKE_FAKE_FAKE_FAKE_FAKE_FAKE_000";

#[test]
fn the_message_names_server_status_code_and_what_was_said() {
    for (body, said) in [
        (
            json!({"error": {"code": 429, "message": "Slow\n down.", "status": "RESOURCE_EXHAUSTED"}}),
            "gemini answered 429 RESOURCE_EXHAUSTED: Slow down.",
        ),
        (
            json!({"error": {"code": "quota_exceeded", "message": "Spent."}}),
            "gemini answered 429 quota_exceeded: Spent.",
        ),
        (
            json!({"type": "error", "error": {"type": "rate_limit_error", "message": "Slow"}}),
            "anthropic answered 429 rate_limit_error: Slow",
        ),
        (
            json!({"error": {"type": "requests", "code": "rate_limit_exceeded", "message": "Slow"}}),
            "the server answered 429 rate_limit_exceeded: Slow",
        ),
        (json!({"error": {"type": "requests", "code": null, "message": ""}}), "the server answered 429 requests"),
        (json!({"error": "slow"}), "the server answered 429: slow"),
        (json!({"message": "slow"}), "the server answered 429: slow"),
        (json!({"detail": "slow"}), "the server answered 429: slow"),
        (json!({"title": "slow"}), "the server answered 429: slow"),
        (json!({"other": "slow"}), "the server answered 429: {\"other\":\"slow\"}"),
    ] {
        assert_eq!(HttpError::new(429, body.to_string()).to_string(), said);
    }
    assert_eq!(HttpError::new(500, "").to_string(), "the server answered 500");
    assert_eq!(
        HttpError::new(500, b"\x1b[31mred\x00\xff\r\nend").to_string(),
        "the server answered 500: [31mred \u{fffd} end"
    );
}

#[test]
fn long_texts_are_cut() {
    let error = HttpError::new(500, "é🔑 ".repeat(10_000));
    let shown = error.to_string();
    let message = shown.strip_prefix("the server answered 500: ").unwrap();
    assert_eq!((message.chars().count(), message.chars().next_back()), (300, Some('…')));
    assert!(error.body().len() <= 4096 && error.body().len() > 4000, "{}", error.body().len());
    let code = "x".repeat(100);
    let error = HttpError::new(500, json!({"error": {"code": code, "message": "m"}}).to_string());
    assert_eq!(error.to_string(), format!("the server answered 500 {}…: m", "x".repeat(59)));
}

#[test]
fn an_echoed_key_is_neither_kept_nor_shown() {
    let message = format!("Permission denied: Consumer 'api_key:{KEY}' has been suspended.");
    let body = json!({"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED", "details": [
        {"reason": "CONSUMER_SUSPENDED", "metadata": {"containerInfo": format!("api_key:{KEY}")}}]}});
    let error = HttpError::new(403, body.to_string());
    assert_eq!(error.reason(), Some(Reason::InvalidKey));
    assert_eq!(
        error.to_string(),
        "gemini answered 403 PERMISSION_DENIED: Permission denied: Consumer 'api_key:[redacted]' has been suspended."
    );
    assert!(
        error.body().contains("CONSUMER_SUSPENDED") && error.body().contains("api_key:[redacted]"),
        "{}",
        error.body()
    );
    let all = format!("{error} {error:?} {error:#?} {}", error.body());
    assert!(!all.contains("AIza") && !all.contains("FAKE"), "{all}");

    let in_code = HttpError::new(400, json!({"error": {"code": KEY, "message": ""}}).to_string());
    assert_eq!(in_code.to_string(), "the server answered 400 [redacted]");
}

#[test]
fn the_keys_of_the_running_call_are_neither_kept_nor_shown_whatever_they_look_like() {
    let secrets = ["plain-words-as-key", "another-one"];
    let balancer = crate::Balancer::builder().keys(secrets).in_memory().build().unwrap();
    let echo = |secret: &str| {
        json!({"error": {"code": format!("no_such_key: {secret}"), "message": format!("Sorry, {secret} is out.")}})
            .to_string()
    };
    let lease = balancer.leases(2).unwrap();
    let inside = |body: String| context::with_keys(lease.held(), || HttpError::new(400, body));
    for error in [inside(secrets.map(echo).join(" ")), inside(echo(secrets[0]))] {
        let all = format!("{error} {error:?} {}", error.body());
        assert!(!all.contains("plain-words") && !all.contains("another-one"), "{all}");
        assert!(error.to_string().contains("Sorry, [redacted] is out."), "{error}");
    }
    assert!(
        HttpError::new(400, echo(secrets[1])).to_string().contains("another-one"),
        "outside of a call nobody knows"
    );
}

#[test]
fn a_key_of_the_running_call_is_found_behind_escapes_and_in_capitals() {
    let key = "abcd/efgh+ijklmnop==qrst";
    let balancer = crate::Balancer::builder().key(key).in_memory().build().unwrap();
    let lease = balancer.lease().unwrap();
    let inside = |body: &str| context::with_keys(lease.held(), || HttpError::new(400, body));
    let in_message = |key: &str| format!(r#"{{"error":{{"code":"no {key}","message":"bad key {key}"}}}}"#);
    for body in [
        in_message(key),
        in_message(&key.replace('/', "\\/")),
        in_message(&key.replace('/', "\\u002f")),
        in_message(&key.replace('/', "\\u0026#47;")),
        in_message(&key.to_uppercase()),
        format!("GET /?auth={}&x=1", key.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D")),
        format!("<b>{}</b>", key.replace('=', "&#61;")),
    ] {
        let error = inside(&body);
        let all = format!("{error} {error:?} {}", error.body()).to_lowercase();
        assert!(error.to_string().contains("[redacted]"), "{error}");
        assert!(["abcd", "ijklmnop", "qrst"].iter().all(|part| !all.contains(part)), "{all}");
    }
    // Half of it at the end of what is kept, where keys are all that is said.
    let escaped = key.replace('/', "\\/");
    for half in 0..escaped.len() {
        let body = format!("{}{}", "x".repeat(half), format!("{escaped} ").repeat(2 * KEPT_OF_BODY / escaped.len()));
        let error = inside(&body);
        assert!(!format!("{error} {}", error.body()).contains("abcd"), "{half}");
    }
}

#[test]
fn what_is_taken_out_does_not_change_what_is_read() {
    let balancer = crate::Balancer::builder().key("error").in_memory().build().unwrap();
    let lease = balancer.lease().unwrap();
    let body = r#"{"error": {"status": "X", "details": [{"reason": "API_KEY_INVALID"}]}}"#;
    let error = context::with_keys(lease.held(), || HttpError::new(400, body));
    assert_eq!((error.reason(), &error.body()[..14]), (Some(Reason::InvalidKey), r#"{"[redacted]":"#));
}

#[test]
fn a_key_at_the_end_of_what_is_read_or_kept_is_not_left_in_half() {
    for limit in [READ_AT_MOST, KEPT_OF_BODY, SHOWN_OF_MESSAGE] {
        for half in (0..KEY.len()).step_by(3) {
            let body = format!("{} {KEY} ", "x ".repeat((limit - half) / 2));
            let error = HttpError::new(500, &body);
            let all = format!("{error} {}", error.body());
            assert!(!all.contains("AIza"), "{limit} {half}");
        }
    }
    // The limit falls inside a character.
    assert!(HttpError::new(500, "€".repeat(READ_AT_MOST)).body().len() <= KEPT_OF_BODY);
}

#[test]
fn five_megabytes_do_no_harm() {
    let big = "sk-".repeat(1_700_000);
    let start = std::time::Instant::now();
    for body in [
        big.clone(),
        "key=".repeat(1_300_000),
        "\"".repeat(5_000_000),
        "key\"".repeat(1_300_000),
        json!({"error": {"message": big}}).to_string(),
    ] {
        let error = HttpError::new(503, body);
        assert_eq!((error.reason(), error.status()), (Some(Reason::Server), 503));
        assert!(error.body().len() <= KEPT_OF_BODY);
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn headers_come_in_many_forms() {
    let slices: &[(&str, &str)] = &[("Retry-After", "5")];
    let strings = vec![("retry-after".to_owned(), "5".to_owned())];
    let map: std::collections::HashMap<String, String> = strings.iter().cloned().collect();
    let bytes = [("RETRY-AFTER", b"5".as_slice())];
    for error in [
        HttpError::from_parts(429, slices, ""),
        HttpError::from_parts(429, &strings, ""),
        HttpError::from_parts(429, &map, ""),
        HttpError::from_parts(429, map, ""),
        HttpError::from_parts(429, bytes, ""),
        HttpError::from_parts(429, strings, b""),
    ] {
        assert_eq!(error.retry_after(), Some(Duration::from_secs(5)));
    }
}

#[cfg(feature = "http")]
#[test]
fn a_header_map_is_read() {
    let mut headers = http::HeaderMap::new();
    assert_eq!(retry_after(&headers), None);
    headers.insert("x-ratelimit-remaining", http::HeaderValue::from_static("0"));
    headers.insert("x-ratelimit-reset", http::HeaderValue::from_bytes(b"\xff").unwrap());
    assert_eq!(retry_after(&headers), None);
    headers.insert("retry-after", http::HeaderValue::from_static("0"));
    assert_eq!(retry_after(&headers), None);
    headers.insert("retry-after", http::HeaderValue::from_static("5"));
    assert_eq!(retry_after(&headers), Some(Duration::from_secs(5)));
    assert_eq!(HttpError::from_parts(429, &headers, "").retry_after(), Some(Duration::from_secs(5)));
}

#[test]
fn a_date_is_measured_from_the_present() {
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10);
    let wait = HttpError::from_parts(503, [("retry-after", soon.to_string())], "").retry_after().unwrap();
    assert!((590..=600).contains(&wait.as_secs()), "{wait:?}");
}

#[test]
fn an_event_of_a_stream_is_an_error_or_nothing() {
    let overloaded =
        json!({"error": {"type": "service_unavailable_error", "code": "server_is_overloaded"}}).to_string();
    let error = HttpError::from_stream_event(&overloaded).unwrap();
    assert_eq!((error.status(), error.reason()), (200, Some(Reason::Server)));
    assert!(HttpError::from_stream_event(format!("event: error\ndata: {overloaded}\n\n")).is_some());
    for other in ["", "data: [DONE]", ": ping", r#"{"candidates": []}"#, r#"{"error": null}"#] {
        assert!(HttpError::from_stream_event(other).is_none(), "{other}");
    }
}

#[test]
fn its_verdict_carries_all_it_knows() {
    let error = HttpError::from_parts(
        400,
        &[("retry-after", "9")],
        r#"{"error": {"status": "X", "details": [{"reason": "BILLING_DISABLED"}]}}"#,
    );
    let Verdict::Failure(failure) = Verdict::error(&error) else { panic!("no failure") };
    assert_eq!((failure.status_code(), failure.reason(), failure.retry_after()), (Some(400), Reason::Billing, None));
}

proptest! {
    #[test]
    fn nothing_kept_or_shown_holds_a_key(
        key in "(AIza|sk-|sk-ant-api03-|gsk_)[A-Z0-9]{24,40}",
        template in prop_oneof![
            Just("K"), Just("Consumer 'api_key:K' has"), Just("GET /v1?key=K&alt=sse: no"), Just("Bearer K"),
            Just(r#"{"error": {"message": "bad K", "code": "K", "status": "K"}}"#),
            Just(r#"{"error": {"message": "{\"error\": {\"message\": \"K\"}}"}}"#),
            Just("data: {\"error\": {\"message\": \"api_key:K\"}}"),
            Just(r#"{"message": "K"}"#), Just(r#"[{"error": {"type": "K"}}]"#),
        ],
        status in 200..600_u16,
    ) {
        let error = HttpError::from_parts(status, &[("retry-after", key.as_str()), ("x-api-key", &key)], template.replace('K', &key));
        let all = format!("{error} {error:?} {error:#?} {}", error.body());
        let secret = &key[key.len() - 20..];
        for piece in 0..=12 {
            prop_assert!(!all.contains(&secret[piece..piece + 8]), "{}", all);
        }
    }
}
