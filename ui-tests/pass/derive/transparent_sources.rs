use std::backtrace::Backtrace;
use std::convert::Infallible;
use std::error::Error as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use egb::{HttpError, Reason, StatusCode};

/// Another name, or thiserror would provide it, which takes a nightly compiler.
type Trace = Backtrace;

/// Every way to say which field is asked, as thiserror understands it.
#[derive(Debug, thiserror::Error, StatusCode)]
enum Sources {
    #[error(transparent)]
    #[status(transparent)]
    Only(#[from] HttpError),
    #[error("marked")]
    #[status(transparent)]
    Marked {
        text: String,
        #[source]
        cause: HttpError,
        backtrace: Trace,
    },
    #[error("marked twice")]
    #[status(transparent)]
    MarkedTwice(
        #[from]
        #[source]
        std::io::Error,
    ),
    #[error("named")]
    #[status(transparent)]
    Named { text: String, source: HttpError, backtrace: Trace },
    #[error("{source}")]
    #[status(transparent)]
    MarkedBesideNamed {
        source: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("numbered")]
    #[status(transparent)]
    Numbered(u16, #[source] HttpError),
    #[error("boxed")]
    #[status(transparent)]
    Boxed(#[source] Box<HttpError>, Trace),
    #[error("shared")]
    #[status(transparent)]
    Shared(#[source] Arc<HttpError>, Trace),
    #[error("optional")]
    #[status(transparent)]
    Optional(#[source] Option<Box<HttpError>>, Trace),
    #[error("any")]
    #[status(transparent)]
    Any(#[source] Box<dyn std::error::Error + Send + Sync>, Trace),
    #[error("with a wait of its own")]
    #[status(transparent, reason = DailyQuota)]
    Overridden {
        source: HttpError,
        #[retry_after]
        wait: Option<Duration>,
    },
}

/// Without thiserror.
#[derive(StatusCode)]
#[status(transparent)]
struct ByHand {
    _text: String,
    #[source]
    cause: Rc<HttpError>,
    _backtrace: Backtrace,
}

/// Nothing inside is nothing said.
#[derive(StatusCode)]
#[status(transparent)]
struct Wrapper<E>(Option<E>);

#[derive(StatusCode)]
#[status(transparent)]
struct Qualified<E>(::std::option::Option<::std::sync::Arc<E>>);

fn main() {
    let cause = || HttpError::from_parts(429, &[("retry-after", "30")], "slow down");
    let (text, trace) = (String::new(), Trace::disabled);
    let wait = Some(Duration::from_secs(30));
    for (position, error) in [
        Sources::Only(cause()),
        Sources::Marked { text: text.clone(), cause: cause(), backtrace: trace() },
        Sources::Named { text: text.clone(), source: cause(), backtrace: trace() },
        Sources::MarkedBesideNamed { source: text.clone(), cause: std::io::Error::other(cause()) },
        Sources::MarkedTwice(std::io::Error::other(cause())),
        Sources::Numbered(500, cause()),
        Sources::Boxed(Box::new(cause()), trace()),
        Sources::Shared(Arc::new(cause()), trace()),
        Sources::Optional(Some(Box::new(cause())), trace()),
        Sources::Any(Box::new(cause()), trace()),
    ]
    .iter()
    .enumerate()
    {
        let told = (error.status_code(), error.retry_after(), error.reason());
        assert_eq!(told, (Some(429), wait, Some(Reason::RateLimited)), "{position}");
        // The field that thiserror names as the source; of a transparent error, it is the source's.
        assert_eq!(error.source().is_some(), position != 0, "{position}");
    }
    let nothing = Sources::Optional(None, trace());
    assert_eq!((nothing.status_code(), nothing.retry_after(), nothing.reason()), (None, None, None));
    let wait = Some(Duration::from_secs(1));
    let overridden = Sources::Overridden { source: cause(), wait };
    let told = (overridden.status_code(), overridden.retry_after(), overridden.reason());
    assert_eq!(told, (Some(429), wait, Some(Reason::DailyQuota)));
    assert_eq!(Sources::Overridden { source: cause(), wait: None }.retry_after(), None);

    let by_hand = ByHand { _text: text, cause: Rc::new(cause()), _backtrace: trace() };
    assert_eq!(by_hand.reason(), Some(Reason::RateLimited));
    assert_eq!(Wrapper(Some(cause())).status_code(), Some(429));
    assert_eq!(Wrapper::<Infallible>(None).status_code(), None);
    assert_eq!(Qualified(Some(Arc::new(cause()))).status_code(), Some(429));
}
