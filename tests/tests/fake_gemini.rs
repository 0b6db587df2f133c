//! The fake server itself: what it answers, and that it counts as strictly as a provider could.

use std::time::Duration;

use egb_tests::{FakeGemini, Quota, ServerClock};
use reqwest::{Client, Response};
use serde_json::{Value, json};

const MODEL: &str = "gemini-2.5-flash";

async fn ask(server: &FakeGemini, key: &str) -> Response {
    let body = json!({ "contents": [{ "parts": [{ "text": "hello there" }] }] });
    let request = Client::new().post(server.generate_url(MODEL)).header("x-goog-api-key", key).json(&body);
    request.send().await.unwrap()
}

async fn error(server: &FakeGemini, key: &str) -> (u16, Value) {
    let response = ask(server, key).await;
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], status);
    (status, body["error"].clone())
}

#[tokio::test]
async fn a_valid_key_gets_an_answer_in_a_header_or_in_the_query() {
    let server = FakeGemini::builder().key("good").start().await.unwrap();
    let answer: Value = ask(&server, "good").await.json().await.unwrap();
    assert_eq!(answer["candidates"][0]["content"]["parts"][0]["text"], "You said: hello there");
    assert_eq!(answer["usageMetadata"]["promptTokenCount"], 2);
    let models = Client::new().get(format!("{}/v1beta/models?key=good", server.url())).send().await.unwrap();
    assert_eq!(models.json::<Value>().await.unwrap()["models"][0]["name"], "models/gemini-2.5-flash");
    assert_eq!((server.received("good").total, server.received("good").ok), (2, 2));
}

#[tokio::test]
async fn each_bad_key_is_refused_in_googles_words() {
    let server = FakeGemini::builder()
        .revoked("revoked")
        .leaked("leaked")
        .suspended("suspended")
        .service_disabled("not-enabled")
        .start()
        .await
        .unwrap();
    let (status, error_) = error(&server, "revoked").await;
    assert_eq!((status, &error_["details"][0]["reason"]), (400, &json!("API_KEY_INVALID")));
    let (status, error_) = error(&server, "never heard of").await;
    assert_eq!(status, 400);
    assert!(error_["message"].as_str().unwrap().contains("not found"));
    let (status, error_) = error(&server, "leaked").await;
    assert_eq!((status, &error_["details"]), (403, &Value::Null));
    let (status, error_) = error(&server, "suspended").await;
    assert_eq!((status, &error_["details"][0]["reason"]), (403, &json!("CONSUMER_SUSPENDED")));
    assert!(error_["message"].as_str().unwrap().contains("api_key:suspended"), "it echoes the key");
    let (status, error_) = error(&server, "not-enabled").await;
    assert_eq!((status, &error_["details"][0]["reason"]), (403, &json!("SERVICE_DISABLED")));
    assert_eq!(server.received("revoked").rejected, 1);
}

#[tokio::test]
async fn bad_requests_are_told_from_bad_keys() {
    let server = FakeGemini::builder().key("good").start().await.unwrap();
    let post = |path: &str, body: &'static str| {
        Client::new().post(format!("{}{path}", server.url())).header("x-goog-api-key", "good").body(body).send()
    };
    let generate = "/v1beta/models/gemini-2.5-flash:generateContent";
    for body in ["{", "{}", r#"{"foo": 1}"#] {
        let answer = post(generate, body).await.unwrap();
        assert_eq!(answer.status(), 400, "{body}");
    }
    assert_eq!(post("/v1beta/models/none:generateContent", "{}").await.unwrap().status(), 400);
    let good = r#"{"contents": [{"parts": [{"text": "hello"}]}]}"#;
    assert_eq!(post("/v1beta/models/none:generateContent", good).await.unwrap().status(), 404);
    assert_eq!(post("/v1beta/models/gemini-2.5-flash:fly", good).await.unwrap().status(), 404);
    assert_eq!(server.received("good").malformed, 5);
}

#[tokio::test]
async fn the_minute_slides_with_the_driven_clock() {
    let clock = ServerClock::new();
    let server = FakeGemini::builder().key_with("k", Quota::per_minute(2)).clock(clock.clone()).start().await.unwrap();
    let mut statuses = Vec::new();
    for seconds in [0, 50, 9, 1, 49, 1] {
        clock.advance(Duration::from_secs(seconds));
        statuses.push(ask(&server, "k").await.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429, 200, 429, 200]);
    let (_, error) = error(&server, "k").await;
    assert_eq!(error["details"][0]["violations"][0]["quotaValue"], "2");
    assert!(error["details"][0]["violations"][0]["quotaId"].as_str().unwrap().contains("PerMinute"));
    assert_eq!(error["details"][2]["retryDelay"], "10.000000000s");
}

#[tokio::test]
async fn the_day_is_counted_apart() {
    let clock = ServerClock::new();
    let quota = Quota::per_minute(100).and_per_day(1);
    let server = FakeGemini::builder().key_with("k", quota).clock(clock.clone()).start().await.unwrap();
    assert_eq!(ask(&server, "k").await.status(), 200);
    clock.advance(Duration::from_secs(3600));
    let (status, error) = error(&server, "k").await;
    assert_eq!(status, 429);
    assert!(error["details"][0]["violations"][0]["quotaId"].as_str().unwrap().contains("PerDay"));
    clock.advance(Duration::from_secs(23 * 3600));
    assert_eq!(ask(&server, "k").await.status(), 200);
}

#[tokio::test]
async fn a_hundred_requests_at_once_get_no_more_than_the_quota() {
    let server = FakeGemini::builder().key_with("k", Quota::per_minute(10)).start().await.unwrap();
    let server = std::sync::Arc::new(server);
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move { ask(&server, "k").await.status().as_u16() })
        })
        .collect();
    let mut ok = 0;
    for task in tasks {
        ok += usize::from(task.await.unwrap() == 200);
    }
    assert_eq!((ok, server.count_status(429), server.log().len()), (10, 90, 100));
}

#[tokio::test]
async fn outages_come_and_go_as_told() {
    let server = FakeGemini::builder().key("k").failing_every(3, "flaky").start().await.unwrap();
    server.outage(true);
    assert_eq!(error(&server, "k").await.1["status"], "UNAVAILABLE");
    server.outage(false);
    server.fail_next(1);
    assert_eq!(ask(&server, "k").await.status(), 503);
    assert_eq!(ask(&server, "k").await.status(), 200);
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(ask(&server, "flaky").await.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 503, 200, 200, 503]);
    server.revoke("k");
    assert_eq!(ask(&server, "k").await.status(), 400);
    server.restore("k");
    server.throttle("k", Duration::from_secs(3600));
    assert_eq!(ask(&server, "k").await.status(), 429);
    server.restore("k");
    assert_eq!(ask(&server, "k").await.status(), 200);
}

#[test]
fn it_serves_programs_without_a_runtime_and_stops_when_dropped() {
    let server = FakeGemini::builder().key("k").start_blocking().unwrap();
    let address = server.url().replace("http://", "");
    assert!(std::net::TcpStream::connect(&address).is_ok());
    drop(server);
    while std::net::TcpStream::connect(&address).is_ok() {
        std::thread::yield_now();
    }
}
