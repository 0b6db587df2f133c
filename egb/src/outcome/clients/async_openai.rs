//! `async-openai`.

use std::time::Duration;

use async_openai::error::{ApiErrorResponse, OpenAIError};
use serde_json::json;

use crate::outcome::{HttpError, Reason, StatusCode};

/// The status and the error object are what the crate keeps of an answer: they tell an empty account from a rate, not
/// when to come back. It retries by itself too; switch that off with its `backoff`, so that another key is tried instead.
impl StatusCode for OpenAIError {
    fn status_code(&self) -> Option<u16> {
        match self {
            Self::ApiError(answer) => Some(answer.status_code.as_u16()),
            Self::Reqwest(error) => error.status_code(),
            _ => None,
        }
    }
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::ApiError(answer) => read(answer).retry_after(),
            Self::Reqwest(error) => error.retry_after(),
            _ => None,
        }
    }
    fn reason(&self) -> Option<Reason> {
        match self {
            Self::ApiError(answer) => read(answer).reason(),
            Self::Reqwest(error) => error.reason(),
            // It broke off on the way.
            Self::StreamError(_) => Some(Reason::Network),
            _ => Some(Reason::Request),
        }
    }
}

fn read(answer: &ApiErrorResponse) -> HttpError {
    let error = &answer.api_error;
    let body = json!({ "error": { "message": error.message, "type": error.r#type, "param": error.param, "code": error.code } });
    HttpError::new(answer.status_code.as_u16(), body.to_string())
}
