//! Waits as text, as a `Retry-After` header has them: seconds or a date (RFC 9110, 10.2.3).

use std::borrow::Cow;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use egb::{StatusCode, Verdict};

#[derive(Debug, thiserror::Error, StatusCode)]
enum Waits<'a, T: std::fmt::Debug> {
    #[error("borrowed")]
    #[status(429)]
    Borrowed(#[retry_after] &'a str),
    #[error("owned")]
    #[status(field = code)]
    Owned {
        code: Option<NonZeroU16>,
        #[retry_after]
        wait: Option<String>,
    },
    #[error("shared")]
    #[status(503)]
    Shared(#[retry_after] Arc<str>, Option<Box<str>>),
    #[error("either")]
    #[status(503)]
    Either(#[retry_after] Cow<'a, str>),
    #[error("header")]
    #[status(503)]
    Header(#[retry_after] Option<http::HeaderValue>),
    #[error("generic")]
    #[status(503)]
    Generic(#[retry_after] T),
}

type Text<'a> = Waits<'a, &'static str>;

fn seconds(error: &Text<'_>) -> Option<u64> {
    error.retry_after().map(|wait| wait.as_secs())
}

fn main() {
    assert_eq!(seconds(&Waits::Borrowed("30")), Some(30));
    assert_eq!(seconds(&Waits::Borrowed("soon")), None);
    assert_eq!(seconds(&Waits::Owned { code: NonZeroU16::new(429), wait: Some(" 7 ".to_owned()) }), Some(7));
    let owned: Text<'_> = Waits::Owned { code: None, wait: None };
    assert_eq!((owned.status_code(), owned.retry_after()), (None, None));
    assert_eq!(seconds(&Waits::Shared("9".into(), None)), Some(9));
    assert_eq!(seconds(&Waits::Either(Cow::Borrowed("11"))), Some(11));
    assert_eq!(seconds(&Waits::Header(Some(http::HeaderValue::from_static("13")))), Some(13));
    assert_eq!(seconds(&Waits::Generic("15")), Some(15));

    // A date in the far future: as long as any wait can be, and never in the past.
    let date = "Fri, 31 Dec 2100 23:59:59 GMT";
    let error: Text<'_> = Waits::Borrowed(date);
    let until = SystemTime::now() + error.retry_after().expect("a date is a wait");
    assert!(until > SystemTime::now() + Duration::from_secs(24 * 3600));
    assert_eq!(seconds(&Waits::Borrowed("Sun, 06 Nov 1994 08:49:37 GMT")), None);
    assert!(matches!(Verdict::error(&error), Verdict::Failure(_)));
}
