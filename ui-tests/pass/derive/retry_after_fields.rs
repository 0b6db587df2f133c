use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use egb::StatusCode;

/// Every type that a wait may have.
#[derive(StatusCode)]
enum Waits<'a, T> {
    #[status(429)]
    Duration(#[retry_after] Duration),
    #[status(429)]
    OptionalDuration(#[retry_after] Option<Duration>),
    #[status(429)]
    Str {
        #[retry_after]
        header: &'a str,
    },
    #[status(429)]
    OptionalStr(u8, #[retry_after] Option<&'a str>),
    #[status(429)]
    String(#[retry_after] String),
    #[status(429)]
    OptionalString(#[retry_after] Option<String>),
    #[status(429)]
    Cow(#[retry_after] Cow<'a, str>),
    #[status(429)]
    Boxed(#[retry_after] Box<str>),
    #[status(429)]
    Shared(#[retry_after] Option<Arc<str>>),
    #[status(429)]
    Counted(#[retry_after] Rc<str>),
    #[status(429)]
    Borrowed(#[retry_after] &'a Option<Duration>),
    #[status(429)]
    Header(#[retry_after] http::HeaderValue),
    #[status(429)]
    Generic(#[retry_after] Option<T>),
}

#[derive(Debug, thiserror::Error, StatusCode)]
#[error("{status}: {body}")]
#[status(field = status)]
struct Answer {
    status: u16,
    body: String,
    #[retry_after]
    retry_after: Option<String>,
}

fn main() {
    type All = Waits<'static, String>;
    const WAIT: Duration = Duration::from_secs(30);
    let all = [
        All::Duration(WAIT),
        All::OptionalDuration(Some(WAIT)),
        All::Str { header: "30" },
        All::OptionalStr(1, Some("30")),
        All::String("30".to_owned()),
        All::OptionalString(Some("30".to_owned())),
        All::Cow(Cow::Borrowed(" 30 ")),
        All::Boxed("30".into()),
        All::Shared(Some("30".into())),
        All::Counted("30".into()),
        All::Borrowed(&Some(WAIT)),
        All::Header(http::HeaderValue::from_static("30")),
        All::Generic(Some("30".to_owned())),
    ];
    for (position, error) in all.iter().enumerate() {
        assert_eq!((error.status_code(), error.retry_after()), (Some(429), Some(WAIT)), "{position}");
    }
    let none = [
        All::OptionalDuration(None),
        All::OptionalStr(1, None),
        All::OptionalString(None),
        All::Shared(None),
        All::Generic(None),
        All::Str { header: "" },
        All::String("soon".to_owned()),
        All::Cow(Cow::Owned("-1".to_owned())),
        // Over.
        All::Boxed("Sun, 06 Nov 1994 08:49:37 GMT".into()),
    ];
    for (position, error) in none.iter().enumerate() {
        assert_eq!((error.status_code(), error.retry_after()), (Some(429), None), "{position}");
    }
    // All three forms of a date; no wait is believed that is longer than 31 days.
    for date in ["Fri, 06 Nov 2893 08:49:37 GMT", "2893-11-06T08:49:37Z", "Fri Nov  6 08:49:37 2893"] {
        let answer = Answer { status: 503, body: String::new(), retry_after: Some(date.to_owned()) };
        let longest = Duration::from_secs(31 * 24 * 60 * 60);
        assert_eq!((answer.status_code(), answer.retry_after()), (Some(503), Some(longest)), "{date}");
    }
}
