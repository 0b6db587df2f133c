//! A web service that asks a rate-limited API with keys that its handlers never see. The balancer
//! lives in the service's shared state; the API is the fake Gemini server, so this runs offline.
//!
//! `cargo run --example axum_service` serves on 127.0.0.1:3000 (or the address in `EGB_LISTEN`);
//! then `curl 'http://127.0.0.1:3000/ask?question=hello'` and `curl http://127.0.0.1:3000/keys`.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode as HttpStatus;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use egb::{Balancer, ErrorForKey, HttpError, Key, StatusCode, balanced};
use egb_tests::{FakeGemini, Quota};
use serde_json::{Value, json};

#[derive(Debug, thiserror::Error, StatusCode)]
enum AskError {
    #[error(transparent)]
    #[status(transparent)]
    Api(#[from] HttpError),
    #[error(transparent)]
    #[status(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] egb::Error),
}

/// What the caller of the service hears: when to come back, and nothing about keys.
impl IntoResponse for AskError {
    fn into_response(self) -> Response {
        let wait = self.retry_after().map_or(1, |wait| wait.as_secs().max(1));
        let status = match &self {
            Self::Balance(_) => HttpStatus::SERVICE_UNAVAILABLE,
            Self::Api(_) | Self::Http(_) => HttpStatus::BAD_GATEWAY,
        };
        (status, [(RETRY_AFTER, wait.to_string())], self.to_string()).into_response()
    }
}

/// Shared by all handlers.
struct Gemini {
    balancer: Balancer,
    client: reqwest::Client,
    url: String,
}

impl Gemini {
    #[balanced(balancer = self.balancer, keys = 1, retries = 2)]
    async fn ask(&self, key: Key, question: &str) -> Result<Value, AskError> {
        let url = format!("{}/v1beta/models/gemini-2.5-flash:generateContent", self.url);
        let body = json!({ "contents": [{ "parts": [{ "text": question }] }] });
        let request = self.client.post(url).header("x-goog-api-key", key.expose_secret()).json(&body);
        let response = request.send().await?;
        Ok(response.error_for_key().await?.json().await?)
    }
}

#[derive(serde::Deserialize)]
struct Question {
    question: String,
}

async fn ask(State(gemini): State<Arc<Gemini>>, Query(asked): Query<Question>) -> Result<String, AskError> {
    let answer = gemini.ask(&asked.question).await?;
    let text = answer["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap_or_default();
    Ok(format!("{text}\n"))
}

async fn keys(State(gemini): State<Arc<Gemini>>) -> Json<Value> {
    let row = |key: &egb::KeyStats| json!({ "key": key.masked, "calls": key.calls, "failures": key.failures, "state": format!("{:?}", key.state) });
    Json(gemini.balancer.stats().keys.iter().map(row).collect())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let names = ["AIzaSyDEMO_service_one_000000000000001", "AIzaSyDEMO_service_two_000000000000002"];
    let server = FakeGemini::builder().key_with(names[0], Quota::per_minute(5)).key(names[1]).start().await?;
    let balancer = Balancer::builder().keys(names).in_memory().build()?;
    let state = Arc::new(Gemini { balancer, client: reqwest::Client::new(), url: server.url() });

    let app = Router::new().route("/ask", get(ask)).route("/keys", get(keys)).with_state(state);
    let address = std::env::var("EGB_LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("try: curl 'http://{}/ask?question=hello'", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
