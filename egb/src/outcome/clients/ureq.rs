//! `ureq`.

use std::io::Read;

use http::Response;
use ureq::{Body, Error};

use crate::outcome::http_error::READ_AT_MOST;
use crate::outcome::{HttpError, Reason, StatusCode};

/// A connection that failed is the network's, a request that can't be made or an answer that can't be understood
/// is not the key's. The status is all that `ureq` keeps of an error answer: for what the provider says in its body, set
/// `http_status_as_error(false)` and use [`BlockingErrorForKey`].
impl StatusCode for Error {
    fn status_code(&self) -> Option<u16> {
        match self {
            Self::StatusCode(status) => Some(*status),
            _ => None,
        }
    }
    fn reason(&self) -> Option<Reason> {
        match self {
            Self::StatusCode(_) => None,
            Self::Io(error) => error.reason(),
            Self::Timeout(_)
            | Self::HostNotFound
            | Self::ConnectionFailed
            | Self::Tls(_)
            | Self::ConnectProxyFailed(_) => Some(Reason::Network),
            _ => Some(Reason::Request),
        }
    }
}

/// Turns an error answer into an error that says what the provider says: whether the key is revoked, its quota
/// spent for a minute or for the day, the request at fault.
///
/// ```no_run
/// use egb::{BlockingErrorForKey, Key, balanced};
/// #
/// # #[derive(Debug, thiserror::Error, egb::StatusCode)]
/// # enum ApiError {
/// #     #[error(transparent)] #[status(transparent)] Api(#[from] egb::HttpError),
/// #     #[error(transparent)] #[status(transparent)] Http(#[from] ureq::Error),
/// #     #[error(transparent)] #[status(transparent)] Balance(#[from] egb::Error),
/// # }
///
/// #[balanced(retries = 2)]
/// fn generate(key: Key, agent: &ureq::Agent, prompt: &str) -> Result<String, ApiError> {
///     let url = "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent";
///     let answer = agent.post(url).header("x-goog-api-key", key.expose_secret()).send(prompt)?;
///     Ok(answer.error_for_key()?.body_mut().read_to_string()?)
/// }
///
/// let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
/// ```
pub trait BlockingErrorForKey: Sized {
    /// The response itself when its status is below 400. Else its body is read, up to 64 KiB of it; when that breaks off, the
    /// error is made of what there is, the status and the headers at least.
    ///
    /// # Errors
    ///
    /// What the provider says.
    fn error_for_key(self) -> Result<Self, HttpError>;
}

impl BlockingErrorForKey for Response<Body> {
    fn error_for_key(mut self) -> Result<Self, HttpError> {
        let status = self.status().as_u16();
        if status < 400 {
            return Ok(self);
        }
        let mut body = Vec::new();
        let limit = READ_AT_MOST as u64 + 1;
        // What was read before a failure is there.
        let _ = self.body_mut().as_reader().take(limit).read_to_end(&mut body);
        Err(HttpError::from_parts(status, self.headers(), body))
    }
}
