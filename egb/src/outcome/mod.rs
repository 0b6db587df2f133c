//! What a call says about its key: [`StatusCode`] reads an error, [`Verdict`] is the conclusion.
//! Nothing here knows of pools; what follows from a verdict is the policy's business.

use std::time::Duration;

mod clients;
mod foreign;
mod http_error;
mod provider;

#[cfg(feature = "ureq")]
pub use clients::BlockingErrorForKey;
#[cfg(any(feature = "reqwest", feature = "hyper"))]
pub use clients::ErrorForKey;
pub(crate) use http_error::retry_after_value;
pub use http_error::{Header, HttpError};

/// What went wrong, and so whose fault it was.
///
/// A plain status gives a reason by itself ([`Reason::from_status`]); a provider's error body often
/// gives a better one, because the same status means different things (Google answers 400 to a
/// revoked key and to a bad prompt alike).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The key is revoked, invalid, expired, leaked or blocked (401, Google's `API_KEY_INVALID`).
    InvalidKey,
    /// The key's account is out of money (402, OpenAI's `insufficient_quota`).
    Billing,
    /// The key may not do this: the API is not enabled, the region or the model not allowed (403).
    Forbidden,
    /// Too many requests in a short window (429).
    RateLimited,
    /// A quota that counts by the day is spent (429 with a per-day `quotaId`).
    DailyQuota,
    /// This key can't use this model or endpoint, though it may serve others.
    Model,
    /// The server failed (5xx).
    Server,
    /// No answer: I/O error, timeout, connection refused.
    Network,
    /// The request itself is at fault (400, 404, 408, 409, 413, 422): any key would have failed.
    Request,
    /// The provider refuses this host, whatever the key (region not supported, address blocked).
    Host,
    /// egb itself had no key to give; no key was asked.
    Balancer,
}

impl Reason {
    /// What a bare HTTP status says, with no body to say more (RFC 9110, section 15).
    ///
    /// ```
    /// use egb::Reason;
    /// assert_eq!(Reason::from_status(429), Reason::RateLimited);
    /// assert_eq!(Reason::from_status(404), Reason::Request);
    /// ```
    pub fn from_status(status: u16) -> Self {
        match status {
            401 => Self::InvalidKey,
            402 => Self::Billing,
            403 => Self::Forbidden,
            429 => Self::RateLimited,
            500..=599 => Self::Server,
            _ => Self::Request,
        }
    }

    /// Its name in logs, metrics and the database, which is never changed.
    ///
    /// ```
    /// assert_eq!(egb::Reason::DailyQuota.name(), "daily_quota");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidKey => "invalid_key",
            Self::Billing => "billing",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate_limited",
            Self::DailyQuota => "daily_quota",
            Self::Model => "model",
            Self::Server => "server",
            Self::Network => "network",
            Self::Request => "request",
            Self::Host => "host",
            Self::Balancer => "balancer",
        }
    }

    /// Whether another key might succeed where this one failed: the fault is the key's or the
    /// server's, not the request's or this host's.
    ///
    /// ```
    /// use egb::Reason;
    /// assert!(Reason::RateLimited.is_retryable());
    /// assert!(!Reason::Request.is_retryable());
    /// ```
    pub fn is_retryable(self) -> bool {
        !matches!(self, Self::Request | Self::Host | Self::Balancer)
    }
}

/// A failed call: the status if there was one, the reason, and when the server said to come back.
///
/// ```
/// use std::time::Duration;
/// use egb::{Failure, Reason};
///
/// let failure = Failure::status(429).with_retry_after(Duration::from_secs(30));
/// assert_eq!(failure.reason(), Reason::RateLimited);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    status: Option<u16>,
    reason: Reason,
    retry_after: Option<Duration>,
}

impl Failure {
    /// A failure with an HTTP status.
    pub fn status(status: u16) -> Self {
        Self { status: Some(status), reason: Reason::from_status(status), retry_after: None }
    }

    /// A failure without a status.
    pub fn new(reason: Reason) -> Self {
        Self { status: None, reason, retry_after: None }
    }

    /// Replaces the reason that the status gave.
    #[must_use]
    pub fn with_reason(mut self, reason: Reason) -> Self {
        self.reason = reason;
        self
    }

    /// Adds how long the server asked to wait.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// The HTTP status, if the call got that far.
    pub fn status_code(&self) -> Option<u16> {
        self.status
    }

    /// Why the call failed.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// How long the server asked to wait, if it said.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

/// What one call says about its key.
///
/// ```
/// use egb::Verdict;
/// assert_eq!(Verdict::status(200), Verdict::Success);
/// assert!(matches!(Verdict::status(429), Verdict::Failure(_)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The key served the call.
    Success,
    /// The call failed; the [`Failure`] says whose fault it was.
    Failure(Failure),
    /// The call says nothing: it was cancelled, it panicked, or it never reached the server.
    Neutral,
}

impl Verdict {
    /// The verdict of an HTTP status alone: below 400 a success, else a failure.
    pub fn status(status: u16) -> Self {
        if status < 400 { Self::Success } else { Self::Failure(Failure::status(status)) }
    }

    /// The verdict of an error. One that carries [`Reason::Balancer`] is neutral: no key was asked.
    ///
    /// An error with a status below 400 (an answer that arrived and could not be used) is
    /// [`Reason::Request`]; one with neither status nor reason is [`Reason::Network`].
    pub fn error<E: StatusCode + ?Sized>(error: &E) -> Self {
        let mut failure = match error.status_code() {
            Some(status) => Failure::status(status),
            None => Failure::new(Reason::Network),
        };
        failure.retry_after = error.retry_after();
        if let Some(reason) = error.reason() {
            failure.reason = reason;
        }
        match failure.reason {
            Reason::Balancer => Self::Neutral,
            _ => Self::Failure(failure),
        }
    }

    /// The verdict of an `Ok` value that carries a status, such as `http::Response`: `Ok(429)` is a
    /// failure. A value with neither status nor reason is a success.
    pub fn ok<T: StatusCode + ?Sized>(value: &T) -> Self {
        match (value.status_code(), value.reason()) {
            (None | Some(..400), None) => Self::Success,
            _ => Self::error(value),
        }
    }
}

impl From<u16> for Verdict {
    fn from(status: u16) -> Self {
        Self::status(status)
    }
}

impl From<Failure> for Verdict {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl<E: StatusCode + ?Sized> From<&E> for Verdict {
    fn from(error: &E) -> Self {
        Self::error(error)
    }
}

/// An error (or an `Ok` value) that may carry an HTTP status: what egb learns a key's health from.
///
/// Derive it, or write the one required method:
///
/// ```
/// enum ApiError {
///     Http(u16),
///     Timeout,
/// }
///
/// impl egb::StatusCode for ApiError {
///     fn status_code(&self) -> Option<u16> {
///         match self {
///             Self::Http(status) => Some(*status),
///             Self::Timeout => None,
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "egb can't tell from `{Self}` how a call ended: it does not implement `egb::StatusCode`",
    label = "carries no HTTP status that egb knows of",
    note = "add `#[derive(egb::StatusCode)]` to `{Self}` and mark each variant, for example `#[status(field = status)]`",
    note = "or name a function that judges the result: `#[balanced(classify = path::to::function)]`"
)]
pub trait StatusCode {
    /// The HTTP status, or `None` when the call did not get as far as an answer.
    fn status_code(&self) -> Option<u16>;

    /// How long the server asked to wait (`Retry-After`, Google's `RetryInfo.retryDelay`).
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    /// What the error is, when that is known better than the status tells.
    fn reason(&self) -> Option<Reason> {
        None
    }
}
