//! The real Gemini API with the keys in `GEMINI_API_KEYS` (separated by commas or line breaks).
//! State is kept in `gemini-keys.db` in the current folder.
//!
//! `GEMINI_API_KEYS=key1,key2 cargo run -p egb-examples --features tls --example gemini -- "Why is the sky blue?"`

use egb::{Balancer, ErrorForKey, HttpError, Key, StatusCode, balanced};
use serde_json::{Value, json};

const MODEL: &str = "gemini-2.5-flash";

#[derive(Debug, thiserror::Error, StatusCode)]
enum GeminiError {
    #[error(transparent)]
    #[status(transparent)]
    Api(#[from] HttpError),
    #[error("the API could not be reached: {0}")]
    #[status(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] egb::Error),
}

#[balanced(keys = 1, retries = 3)]
async fn generate(key: Key, client: &reqwest::Client, prompt: &str) -> Result<String, GeminiError> {
    let url = format!("https://generativelanguage.googleapis.com/v1beta/models/{MODEL}:generateContent");
    let body = json!({ "contents": [{ "parts": [{ "text": prompt }] }] });
    let response = client.post(url).header("x-goog-api-key", key.expose_secret()).json(&body).send().await?;
    let answer: Value = response.error_for_key().await?.json().await?;
    Ok(answer["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap_or_default().to_owned())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if std::env::var_os("GEMINI_API_KEYS").is_none() {
        eprintln!("This example calls the real Gemini API. Give it your keys, separated by commas:");
        eprintln!("    GEMINI_API_KEYS=key1,key2 cargo run -p egb-examples --features tls --example gemini");
        eprintln!("Keys are made at https://aistudio.google.com/apikey. Offline: cargo run --example quickstart");
        std::process::exit(2);
    }
    let balancer = Balancer::builder().keys_env("GEMINI_API_KEYS").db("gemini-keys.db").build()?;
    let guard = egb::init(balancer)?;
    let prompt = std::env::args().nth(1).unwrap_or_else(|| "Say hello in one short sentence.".to_owned());
    let client = reqwest::Client::new();
    println!("{}", generate(&client, &prompt).await?);
    for key in guard.balancer().stats().keys {
        println!("{}  {} calls, {} failed, {:?}", key.masked, key.calls, key.failures, key.state);
    }
    Ok(())
}
