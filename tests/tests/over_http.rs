//! Balanced functions against the fake Gemini API: what each of its answers does to a key, and what
//! the caller sees of it.

mod common;

use std::time::Duration;

use anyhow::Context as _;
use common::{ApiError, ask};
use egb::{Balancer, Error, Failure, HttpError, Key, KeyState, KeyStats, Reason, StatusCode, Verdict, balanced};
use egb_tests::{FakeGemini, FakeGeminiBuilder};

const MODEL: &str = "gemini-2.5-flash";
const GOOD: &str = "AIzaSyFAKE_a_good_key_for_all_of_them";
const BAD: &str = "AIzaSyFAKE_a_bad_key_in_one_way_or_..";

#[balanced(keys = 1, balancer = api.balancer)]
async fn once(key: &Key, api: &Api, prompt: &str) -> Result<String, ApiError> {
    ask(&api.client, &api.url, key, prompt).await
}

#[balanced(keys = 1, balancer = api.balancer, retries = 2)]
async fn generate(key: Key, api: &Api, prompt: String) -> Result<String, ApiError> {
    ask(&api.client, &api.url, &key, &prompt).await
}

struct Api {
    server: FakeGemini,
    balancer: Balancer,
    client: reqwest::Client,
    url: String,
}

impl Api {
    async fn new(server: FakeGeminiBuilder, keys: &[&str]) -> Self {
        let server = server.start().await.unwrap();
        let url = server.generate_url(MODEL);
        let balancer = Balancer::builder().keys(keys.iter().copied()).in_memory().build().unwrap();
        Self { server, balancer, client: reqwest::Client::new(), url }
    }

    fn key(&self, key: &str) -> KeyStats {
        let fingerprint = Key::from(key).fingerprint();
        self.balancer.stats().keys.into_iter().find(|key| key.fingerprint == fingerprint).unwrap()
    }
}

#[tokio::test]
async fn a_revoked_key_is_tried_once_and_the_caller_never_hears_of_it() {
    for server in [
        FakeGemini::builder().revoked(BAD),
        FakeGemini::builder().leaked(BAD),
        FakeGemini::builder().suspended(BAD),
        FakeGemini::builder(), // a key that the server does not know
    ] {
        let api = Api::new(server.key(GOOD), &[BAD, GOOD]).await;
        for call in 0..10 {
            generate(&api, format!("call {call}")).await.unwrap();
        }
        assert_eq!(api.key(BAD).state, KeyState::Disabled);
        assert_eq!(api.server.log().iter().filter(|request| request.key == BAD).count(), 1);
        assert_eq!(api.server.received(GOOD).ok, 10);
    }
}

#[tokio::test]
async fn a_throttled_key_rests_as_long_as_the_server_says() {
    let api = Api::new(FakeGemini::builder().key(GOOD).key(BAD), &[BAD, GOOD]).await;
    api.server.throttle(BAD, Duration::from_secs(300));
    for _ in 0..4 {
        generate(&api, "hello".to_owned()).await.unwrap();
    }
    let throttled = api.key(BAD);
    assert_eq!((throttled.state, throttled.calls, throttled.throttled), (KeyState::CoolingDown, 1, 1));
    let left = throttled.health.cooldown_until().unwrap().duration_since(std::time::SystemTime::now()).unwrap();
    assert!((Duration::from_secs(290)..=Duration::from_secs(301)).contains(&left), "{left:?}");
}

#[tokio::test]
async fn a_key_without_the_api_enabled_rests_five_minutes_and_is_not_disabled() {
    let api = Api::new(FakeGemini::builder().key(GOOD).service_disabled(BAD), &[BAD, GOOD]).await;
    for _ in 0..4 {
        generate(&api, "hello".to_owned()).await.unwrap();
    }
    assert_eq!(api.key(BAD).state, KeyState::CoolingDown);
    assert_eq!(api.key(BAD).health.last_failure().unwrap().reason, Reason::Forbidden);
}

#[tokio::test]
async fn a_request_that_any_key_would_reject_is_not_repeated_and_harms_no_key() {
    let api = Api::new(FakeGemini::builder().key(GOOD).key(BAD), &[BAD, GOOD]).await;
    let wrong = api.url.replace(MODEL, "no-such-model");
    let api = Api { url: wrong, ..api };
    for _ in 0..6 {
        let error = generate(&api, "hello".to_owned()).await.unwrap_err();
        assert_eq!(error.status_code(), Some(404));
    }
    assert_eq!(api.server.log().len(), 6, "no retries");
    for key in api.balancer.stats().keys {
        assert_eq!((key.state, key.health.factor()), (KeyState::Available, 1.0));
    }
}

#[tokio::test]
async fn an_outage_is_tried_on_each_key_once_and_then_told_as_it_is() {
    let keys = ["AIzaSyFAKE_1_aaaaaaaaaaaa", "AIzaSyFAKE_2_bbbbbbbbbbbb", "AIzaSyFAKE_3_cccccccccccc"];
    let server = keys.iter().fold(FakeGemini::builder(), FakeGeminiBuilder::key);
    let api = Api::new(server, &keys).await;
    api.server.outage(true);
    let error = generate(&api, "hello".to_owned()).await.unwrap_err();
    assert!(matches!(error, ApiError::Api(_)), "the server's own answer: {error}");
    let mut asked: Vec<String> = api.server.log().into_iter().map(|request| request.key).collect();
    asked.sort_unstable();
    assert_eq!(asked, keys, "each key once");
    api.server.outage(false);
    generate(&api, "hello".to_owned()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_counts_as_its_failure() {
    let api = Api::new(FakeGemini::builder().key(GOOD), &[GOOD]).await;
    let api = Api { url: "http://127.0.0.1:1/".to_owned(), ..api };
    let error = once(&api, "hello").await.unwrap_err();
    assert!(matches!(error, ApiError::Http(_)));
    assert_eq!(api.key(GOOD).health.factor(), 0.9);
    assert_eq!(api.key(GOOD).health.last_failure().unwrap().reason, Reason::Network);
}

#[tokio::test]
async fn without_a_key_the_callers_error_says_so_and_no_request_is_made() {
    let api = Api::new(FakeGemini::builder().revoked(BAD), &[BAD]).await;
    assert!(matches!(once(&api, "hello").await.unwrap_err(), ApiError::Api(_)));
    let error = once(&api, "hello").await.unwrap_err();
    assert!(matches!(error, ApiError::Balance(Error::NoKeyLeft { .. })), "{error}");
    assert_eq!(api.server.log().len(), 1);
}

/// Judges nothing itself: hands the response over as it is.
#[balanced(balancer = api.balancer, retries = 1)]
async fn raw(key: Key, api: &Api, body: &'static str) -> Result<reqwest::Response, ApiError> {
    Ok(api.client.post(&api.url).header("x-goog-api-key", key.expose_secret()).body(body).send().await?)
}

#[tokio::test]
async fn an_ok_response_counts_by_its_status_and_is_retried_like_an_error() {
    let api = Api::new(FakeGemini::builder().key(GOOD).key(BAD), &[BAD, GOOD]).await;
    assert_eq!(raw(&api, "{").await.unwrap().status(), 400, "malformed: the request's fault");
    assert_eq!(api.server.log().len(), 1);
    assert_eq!(api.balancer.stats().successes(), 0);

    let good = r#"{"contents": [{"parts": [{"text": "hello"}]}]}"#;
    api.server.throttle(BAD, Duration::from_secs(60));
    for _ in 0..3 {
        assert_eq!(raw(&api, good).await.unwrap().status(), 200);
    }
    assert_eq!((api.key(BAD).throttled, api.key(GOOD).successes), (1, 3));
    api.server.throttle(GOOD, Duration::from_secs(60));
    assert_eq!(raw(&api, good).await.unwrap().status(), 429, "no other key is left");
}

#[derive(Debug)]
struct Text(String);

impl From<Error> for Text {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

/// What a user writes for an error type that is not theirs.
fn by_message(result: &Result<String, Text>) -> Verdict {
    match result {
        Ok(_) => Verdict::Success,
        Err(Text(message)) if message.contains("RESOURCE_EXHAUSTED") => Failure::status(429).into(),
        Err(_) => Verdict::Neutral,
    }
}

#[balanced(balancer = api.balancer, classify = by_message, retries = 1)]
async fn foreign(key: Key, api: &Api) -> Result<String, Text> {
    ask(&api.client, &api.url, &key, "hello").await.map_err(|error| Text(error.to_string()))
}

#[tokio::test]
async fn a_classify_function_judges_errors_that_say_nothing_themselves() {
    let api = Api::new(FakeGemini::builder().key(GOOD).key(BAD), &[BAD, GOOD]).await;
    api.server.throttle(BAD, Duration::from_secs(60));
    for _ in 0..4 {
        foreign(&api).await.unwrap();
    }
    assert_eq!(api.key(BAD).throttled, 1);
    api.server.outage(true);
    assert!(foreign(&api).await.unwrap_err().0.contains("UNAVAILABLE"));
    assert_eq!(api.key(GOOD).failures, 0, "neutral, as the function said");
}

/// The error that is in every chain of sources below.
fn into_known(error: ApiError) -> HttpError {
    let ApiError::Api(error) = error else { panic!("{error}") };
    error
}

#[balanced(balancer = api.balancer, retries = 1)]
async fn with_anyhow(key: Key, api: &Api) -> anyhow::Result<String> {
    let answer = ask(&api.client, &api.url, &key, "hello").await;
    answer.map_err(into_known).context("asking Gemini")
}

#[balanced(balancer = api.balancer, retries = 1)]
async fn with_box(key: Key, api: &Api) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    Ok(ask(&api.client, &api.url, &key, "hello").await.map_err(into_known)?)
}

#[tokio::test]
async fn anyhow_and_boxed_errors_are_read_through_their_sources() {
    let api = Api::new(FakeGemini::builder().revoked(BAD).key(GOOD), &[BAD, GOOD]).await;
    with_anyhow(&api).await.unwrap();
    with_anyhow(&api).await.unwrap();
    assert_eq!(api.key(BAD).state, KeyState::Disabled);
    api.balancer.reset().unwrap();
    with_box(&api).await.unwrap();
    with_box(&api).await.unwrap();
    assert_eq!(api.key(BAD).state, KeyState::Disabled);
}
