//! How Google's APIs speak gRPC: the same refusals as statuses with details, in an answer without a message.

use std::collections::HashMap;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, Full};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, QuotaViolation, StatusExt as _};

use crate::quota::Window;
use crate::state::Problem;

/// The path of the only method.
pub(crate) const PATH: &str = "/fake.v1.Greeter/Greet";

/// An empty message, uncompressed: a flag and a length.
const EMPTY_MESSAGE: [u8; 5] = [0; 5];

pub(crate) fn answer() -> Response {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let message = Full::new(Bytes::from_static(&EMPTY_MESSAGE));
    let body = Body::new(message.with_trailers(async { Some(Ok(trailers)) }));
    ([("content-type", "application/grpc")], body).into_response()
}

pub(crate) fn refusal(problem: &Problem) -> Response {
    status(problem).into_http::<Body>().into_response()
}

fn status(problem: &Problem) -> Status {
    let with_reason = |code, message: &str, reason: &str| {
        let mut details = ErrorDetails::new();
        details.set_error_info(reason, "googleapis.com", HashMap::new());
        Status::with_error_details(code, message, details)
    };
    match problem {
        Problem::KeyMissing => Status::permission_denied("Method doesn't allow unregistered callers."),
        Problem::KeyUnknown | Problem::KeyRevoked => {
            with_reason(Code::InvalidArgument, "API key not valid. Please pass a valid API key.", "API_KEY_INVALID")
        }
        Problem::KeyLeaked => Status::permission_denied("Your API key was reported as leaked."),
        Problem::KeySuspended(_) => {
            with_reason(Code::PermissionDenied, "Consumer has been suspended.", "CONSUMER_SUSPENDED")
        }
        Problem::ServiceDisabled => with_reason(Code::PermissionDenied, "It is disabled.", "SERVICE_DISABLED"),
        Problem::OutOfCredit => with_reason(Code::PermissionDenied, "It requires billing.", "BILLING_DISABLED"),
        Problem::QuotaExceeded { exceeded, .. } => {
            let quota_id = match exceeded.window {
                Window::Minute => "GenerateRequestsPerMinutePerProjectPerModel",
                Window::Day => "GenerateRequestsPerDayPerProjectPerModel",
            };
            let violation = QuotaViolation { quota_id: quota_id.to_owned(), ..QuotaViolation::default() };
            let mut details = ErrorDetails::new();
            details.set_quota_failure(vec![violation]).set_retry_info(Some(exceeded.retry_delay));
            Status::with_error_details(Code::ResourceExhausted, "Quota exceeded.", details)
        }
        Problem::Overloaded => Status::unavailable("The model is overloaded. Please try again later."),
        Problem::Malformed(description) => Status::invalid_argument(description.as_str()),
        Problem::NoSuchModel(model) => Status::not_found(model.as_str()),
    }
}
