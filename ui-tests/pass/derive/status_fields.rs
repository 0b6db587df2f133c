use std::num::NonZeroU16;

use egb::StatusCode;

/// Every type that a status may have.
#[derive(StatusCode)]
enum Statuses<'a, S> {
    #[status(field = 0)]
    U16(u16),
    #[status(field = 0)]
    NonZero(NonZeroU16),
    #[status(field = 0)]
    Optional(Option<NonZeroU16>),
    #[status(field = 0)]
    U32(u32),
    #[status(field = 0)]
    I32(Option<i32>),
    #[status(field = 0)]
    U64(u64),
    #[status(field = 0)]
    I64(i64),
    #[status(field = 0)]
    Http(http::StatusCode),
    #[status(field = 0)]
    Borrowed(&'a Option<u16>),
    #[status(field = 0)]
    Generic(S),
}

/// As numbers are written.
#[derive(StatusCode)]
enum Written {
    #[status(404)]
    Plain,
    #[status(4_0_4)]
    Separated,
    #[status(404u16)]
    Suffixed,
    #[status(404)]
    Trailing,
    #[status(100)]
    First,
    #[status(999)]
    Last,
}

fn main() {
    type All = Statuses<'static, u16>;
    let number = NonZeroU16::new(503).unwrap();
    for (position, error) in [
        All::U16(503),
        All::NonZero(number),
        All::Optional(Some(number)),
        All::U32(503),
        All::I32(Some(503)),
        All::U64(503),
        All::I64(503),
        All::Http(http::StatusCode::SERVICE_UNAVAILABLE),
        All::Borrowed(&Some(503)),
        All::Generic(503),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!((error.status_code(), error.retry_after(), error.reason()), (Some(503), None, None), "{position}");
    }
    let none = [All::Optional(None), All::I32(None), All::I32(Some(-1)), All::U64(u64::MAX), All::Borrowed(&None)];
    for (position, error) in none.iter().enumerate() {
        assert_eq!(error.status_code(), None, "{position}");
    }
    for written in [Written::Plain, Written::Separated, Written::Suffixed, Written::Trailing] {
        assert_eq!(written.status_code(), Some(404));
    }
    assert_eq!((Written::First.status_code(), Written::Last.status_code()), (Some(100), Some(999)));
}
