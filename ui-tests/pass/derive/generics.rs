use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use egb::{Reason, StatusCode};

/// Each field that is asked gets the bound that it needs, and no other.
#[derive(Debug, StatusCode)]
enum Generic<S, D, W, Unasked>
where
    Unasked: Debug,
{
    #[status(field = 0)]
    Field(S, Unasked),
    #[status(503)]
    Waiting {
        #[retry_after]
        wait: D,
    },
    #[status(transparent)]
    Wrapped(Box<W>),
    #[status(none, reason = Request)]
    Neither,
}

#[derive(StatusCode)]
#[status(field = r#type)]
struct Raw<'a, const N: usize> {
    r#type: Option<u16>,
    #[retry_after]
    r#yield: Option<Duration>,
    _rest: &'a [u8; N],
}

#[derive(StatusCode)]
enum Recursive {
    #[status(504)]
    Leaf,
    #[status(transparent)]
    Node(Arc<Recursive>),
}

#[derive(Debug)]
struct Opaque;

fn main() {
    type All = Generic<u32, Duration, egb::HttpError, Opaque>;
    assert_eq!(All::Field(429, Opaque).status_code(), Some(429));
    assert_eq!(All::Field(70_000, Opaque).status_code(), None);
    assert_eq!(All::Waiting { wait: Duration::from_secs(1) }.retry_after(), Some(Duration::from_secs(1)));
    assert_eq!(All::Wrapped(Box::new(egb::HttpError::new(401, ""))).status_code(), Some(401));
    assert_eq!((All::Neither.status_code(), All::Neither.reason()), (None, Some(Reason::Request)));
    let raw = Raw { r#type: Some(404), r#yield: None, _rest: &[0] };
    assert_eq!((raw.status_code(), raw.retry_after()), (Some(404), None));
    assert_eq!(Recursive::Node(Arc::new(Recursive::Node(Arc::new(Recursive::Leaf)))).status_code(), Some(504));
}
