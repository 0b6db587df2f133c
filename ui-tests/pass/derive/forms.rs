use std::time::Duration;

use egb::{Reason, StatusCode, Verdict};

#[derive(Debug, thiserror::Error, StatusCode)]
enum Everything<T: std::error::Error + 'static> {
    #[error("fixed")]
    #[status(429)]
    Fixed,
    #[error("named")]
    #[status(field = code)]
    Named {
        code: u16,
        #[retry_after]
        wait: Option<Duration>,
    },
    #[error("tuple")]
    #[status(field = 1)]
    Tuple(&'static str, http::StatusCode),
    #[error("optional")]
    #[status(field = code)]
    Optional { code: Option<i32> },
    #[error("reason")]
    #[status(400, reason = InvalidKey)]
    WithReason,
    #[error("waiting")]
    #[status(503)]
    Waiting(#[retry_after] Duration),
    #[error(transparent)]
    #[status(transparent)]
    Generic(T),
    #[error("with more: {text}")]
    #[status(transparent)]
    Source {
        #[source]
        cause: egb::HttpError,
        text: String,
    },
    #[error("nothing")]
    #[status(none)]
    Nothing,
}

#[derive(StatusCode)]
#[status(field = status)]
struct Named {
    status: u16,
    #[retry_after]
    after: Duration,
}

#[derive(StatusCode)]
#[status(transparent)]
struct Wrapper<E>(E);

#[derive(StatusCode)]
#[status(404)]
struct Unit;

#[derive(StatusCode)]
enum Never {}

fn main() {
    type All = Everything<egb::HttpError>;
    let wait = Some(Duration::from_secs(3));
    assert_eq!(All::Fixed.status_code(), Some(429));
    let named = All::Named { code: 503, wait };
    assert_eq!((named.status_code(), named.retry_after()), (Some(503), wait));
    assert_eq!(All::Tuple("", http::StatusCode::NOT_FOUND).status_code(), Some(404));
    assert_eq!(All::Optional { code: Some(500) }.status_code(), Some(500));
    assert_eq!(All::Optional { code: None }.status_code(), None);
    assert_eq!(All::WithReason.reason(), Some(Reason::InvalidKey));
    assert_eq!(All::Waiting(Duration::from_secs(3)).retry_after(), wait);
    let google = || {
        let body = r#"{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT",
            "details": [{"reason": "API_KEY_INVALID", "domain": "googleapis.com"}]}}"#;
        egb::HttpError::new(400, body)
    };
    assert_eq!(All::Generic(google()).reason(), Some(Reason::InvalidKey));
    let source = All::Source { cause: google(), text: String::new() };
    assert_eq!((source.status_code(), source.reason()), (Some(400), Some(Reason::InvalidKey)));
    assert_eq!(All::Nothing.status_code(), None);
    assert_eq!(Verdict::error(&All::Nothing), Verdict::error(&std::io::Error::other("")));

    let named = Named { status: 429, after: Duration::from_secs(3) };
    assert_eq!((named.status_code(), named.retry_after()), (Some(429), wait));
    assert_eq!(Wrapper(Wrapper(named)).status_code(), Some(429));
    assert_eq!(Unit.status_code(), Some(404));
    let _: fn(&Never) -> Option<u16> = Never::status_code;
}
