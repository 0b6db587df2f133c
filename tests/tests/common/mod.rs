//! What the tests over real HTTP share: the error type and the request, as a user would write them.

use egb::{Error, HttpError, Key, StatusCode};
use serde_json::json;

#[derive(Debug, thiserror::Error, StatusCode)]
pub(crate) enum ApiError {
    #[error(transparent)]
    #[status(transparent)]
    Api(#[from] HttpError),
    #[error(transparent)]
    #[status(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] Error),
}

/// Asks the fake Gemini API with this key.
pub(crate) async fn ask(client: &reqwest::Client, url: &str, key: &Key, prompt: &str) -> Result<String, ApiError> {
    let body = json!({ "contents": [{ "parts": [{ "text": prompt }] }] });
    let response = client.post(url).header("x-goog-api-key", key.expose_secret()).json(&body).send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let answer = response.text().await?;
    if !status.is_success() {
        return Err(HttpError::from_parts(status.as_u16(), &headers, &answer).into());
    }
    Ok(answer)
}
