//! placeholder
use super::{Reason, StatusCode};
use std::time::Duration;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct HttpError;
impl StatusCode for HttpError {
    fn status_code(&self) -> Option<u16> {
        None
    }
}
#[cfg(feature = "http")]
pub(crate) fn retry_after(_: &http::HeaderMap) -> Option<Duration> {
    None
}
