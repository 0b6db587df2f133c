//! `tonic`: gRPC codes and the details that Google's APIs put beside them.

use std::error::Error as _;
use std::time::Duration;

use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::outcome::{HttpError, Reason, StatusCode};

/// A status counts as the HTTP status that Google's APIs give it
/// (<https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto>). `ErrorInfo`, `QuotaFailure` and
/// `RetryInfo` in its details are read as those of an HTTP answer. One that the client made itself, because there was no
/// answer, is the network's.
impl StatusCode for Status {
    fn status_code(&self) -> Option<u16> {
        // An answer of the server has no source.
        if self.source().is_some() { None } else { Some(http_status(self.code())) }
    }
    fn retry_after(&self) -> Option<Duration> {
        self.status_code().and_then(|status| read(self, status).retry_after())
    }
    fn reason(&self) -> Option<Reason> {
        self.status_code().and_then(|status| read(self, status).reason())
    }
}

fn http_status(code: Code) -> u16 {
    match code {
        Code::Ok => 200,
        Code::Cancelled => 499,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::DeadlineExceeded => 504,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::PermissionDenied => 403,
        Code::Unauthenticated => 401,
        Code::ResourceExhausted => 429,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
    }
}

/// The name of a code as it is in JSON.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// As the HTTP answer that says the same.
fn read(status: &Status, code: u16) -> HttpError {
    let details = status.get_error_details();
    let mut json: Vec<Value> = Vec::new();
    if let Some(info) = details.error_info() {
        let kind = "type.googleapis.com/google.rpc.ErrorInfo";
        json.push(json!({ "@type": kind, "reason": info.reason, "domain": info.domain, "metadata": info.metadata }));
    }
    if let Some(failure) = details.quota_failure() {
        let violations = failure.violations.iter().map(|violation| {
            json!({
                "subject": violation.subject,
                "description": violation.description,
                "quotaMetric": violation.quota_metric,
                "quotaId": violation.quota_id,
                "quotaDimensions": violation.quota_dimensions,
                // 0 is also what is not said.
                "quotaValue": (violation.quota_value > 0).then(|| violation.quota_value.to_string()),
            })
        });
        let violations: Vec<Value> = violations.collect();
        json.push(json!({ "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations }));
    }
    if let Some(delay) = details.retry_info().and_then(|info| info.retry_delay) {
        let delay = format!("{}.{:09}s", delay.as_secs(), delay.subsec_nanos());
        json.push(json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay }));
    }
    let message = status.message();
    let error = json!({ "code": code, "message": message, "status": name(status.code()), "details": json });
    HttpError::new(code, json!({ "error": error }).to_string())
}

#[cfg(test)]
mod tests {
    use tonic_types::{ErrorDetails, QuotaViolation};

    use super::*;
    use crate::outcome::Verdict;

    #[test]
    fn each_code_has_the_http_status_that_google_gives_it() {
        let statuses = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
        for (code, http) in (0..).map(Code::from_i32).zip(statuses) {
            assert_eq!(Status::new(code, "").status_code(), Some(http), "{code:?}");
            assert!(name(code).replace('_', "").eq_ignore_ascii_case(&format!("{code:?}")));
        }
    }

    #[test]
    fn the_details_tell_a_revoked_key_and_a_daily_quota() {
        let mut details = ErrorDetails::new();
        details.set_error_info("API_KEY_INVALID", "googleapis.com", std::collections::HashMap::new());
        let revoked = Status::with_error_details(Code::InvalidArgument, "API key not valid.", details);
        assert_eq!(revoked.reason(), Some(Reason::InvalidKey));

        let mut details = ErrorDetails::new();
        let violation =
            QuotaViolation { quota_id: "GenerateRequestsPerDayPerProjectPerModel".into(), ..Default::default() };
        details.set_quota_failure(vec![violation]).set_retry_info(Some(Duration::from_millis(36_429)));
        let spent = Status::with_error_details(Code::ResourceExhausted, "Quota exceeded.", details);
        assert_eq!(spent.reason(), Some(Reason::DailyQuota));
        assert_eq!(spent.retry_after(), Some(Duration::from_millis(36_429)));
    }

    #[test]
    fn a_status_that_the_client_made_is_the_networks() {
        let error = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let Verdict::Failure(failure) = Verdict::error(&Status::from_error(Box::new(error))) else { panic!() };
        assert_eq!((failure.reason(), failure.status_code()), (Reason::Network, None));
    }
}
