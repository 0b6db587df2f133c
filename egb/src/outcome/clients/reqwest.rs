//! `reqwest`.

use std::error::Error as StdError;
use std::time::Duration;

use reqwest::{Error, Response};

use super::ErrorForKey;
use crate::outcome::http_error::{READ_AT_MOST, retry_after};
use crate::outcome::{HttpError, Reason, StatusCode};

/// A connection that failed is the network's, a request that can't be built or an answer that can't
/// be decoded is not the key's.
///
/// Its text has the URL in it: send the key in a header rather than in `?key=`, or drop the URL with
/// [`without_url`](Error::without_url).
impl StatusCode for Error {
    fn status_code(&self) -> Option<u16> {
        self.status().map(|status| status.as_u16())
    }
    fn reason(&self) -> Option<Reason> {
        // A body that broke off on the way counts as decoding too; one that is no JSON has serde's error in it.
        let is_json = <dyn StdError>::is::<serde_json::Error>;
        let is_unreadable = self.is_decode() && self.source().is_some_and(is_json);
        (self.is_builder() || self.is_redirect() || is_unreadable).then_some(Reason::Request)
    }
}

impl StatusCode for Response {
    fn status_code(&self) -> Option<u16> {
        Some(self.status().as_u16())
    }
    fn retry_after(&self) -> Option<Duration> {
        retry_after(self.headers())
    }
}

impl ErrorForKey for Response {
    async fn error_for_key(mut self) -> Result<Self, HttpError> {
        let status = self.status().as_u16();
        if status < 400 {
            return Ok(self);
        }
        let mut body = Vec::new();
        while body.len() < READ_AT_MOST
            && let Ok(Some(chunk)) = self.chunk().await
        {
            body.extend_from_slice(&chunk);
        }
        Err(HttpError::from_parts(status, self.headers(), body))
    }
}
