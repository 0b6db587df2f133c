//! [`StatusCode`] for types of other crates: std's pointers and errors, boxed errors, `http` and `anyhow`. HTTP
//! clients are in `clients`.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::{Reason, StatusCode};

/// Forwards every method to another `StatusCode`.
macro_rules! forward {
    ($self:ident => $to:expr) => {
        fn status_code(&$self) -> Option<u16> {
            $to.status_code()
        }
        fn retry_after(&$self) -> Option<Duration> {
            $to.retry_after()
        }
        fn reason(&$self) -> Option<Reason> {
            $to.reason()
        }
    };
}

#[diagnostic::do_not_recommend]
impl<E: StatusCode + ?Sized> StatusCode for &E {
    forward!(self => (**self));
}

#[diagnostic::do_not_recommend]
impl<E: StatusCode> StatusCode for Box<E> {
    forward!(self => (**self));
}

#[diagnostic::do_not_recommend]
impl<E: StatusCode> StatusCode for Arc<E> {
    forward!(self => (**self));
}

#[diagnostic::do_not_recommend]
impl<E: StatusCode> StatusCode for Rc<E> {
    forward!(self => (**self));
}

/// The error of calls that can't fail, for generic wrappers.
#[diagnostic::do_not_recommend]
impl StatusCode for Infallible {
    fn status_code(&self) -> Option<u16> {
        match *self {}
    }
}

/// An I/O error is the network's, unless it wraps an error that knows better, or is one that only files of this host
/// have: then it is the request's fault.
impl StatusCode for io::Error {
    fn status_code(&self) -> Option<u16> {
        self.get_ref().and_then(|inner| in_chain(inner)?.status_code())
    }
    fn retry_after(&self) -> Option<Duration> {
        self.get_ref().and_then(|inner| in_chain(inner)?.retry_after())
    }
    fn reason(&self) -> Option<Reason> {
        let wrapped = self.get_ref().and_then(|inner| in_chain(inner));
        wrapped.map_or_else(|| Some(by_kind(self.kind())), StatusCode::reason)
    }
}

/// Connections have none of these. `PermissionDenied` and `InvalidData` may be a firewall's and a certificate's.
fn by_kind(kind: io::ErrorKind) -> Reason {
    use io::ErrorKind::{
        AlreadyExists, DirectoryNotEmpty, InvalidInput, IsADirectory, NotADirectory, NotFound, OutOfMemory,
        ReadOnlyFilesystem, StorageFull, Unsupported,
    };
    match kind {
        NotFound | AlreadyExists | NotADirectory | IsADirectory | DirectoryNotEmpty | ReadOnlyFilesystem
        | StorageFull | InvalidInput | Unsupported | OutOfMemory => Reason::Request,
        _ => Reason::Network,
    }
}

/// Looks through the error and its sources for one that egb knows: [`egb::Error`](crate::Error),
/// [`egb::HttpError`](crate::HttpError), `io::Error`, and with their features the errors of `reqwest`, `ureq`,
/// `hyper`, `tonic`, `async-openai` and `anyhow`. A type of your own inside a box can't be found: name it in the signature, or
/// judge the result with `classify`.
impl StatusCode for Box<dyn StdError + Send + Sync> {
    forward!(self => Chain(&**self));
}

/// As for `Box<dyn Error + Send + Sync>`.
impl StatusCode for Box<dyn StdError> {
    forward!(self => Chain(&**self));
}

/// As for `Box<dyn Error + Send + Sync>`: looks through the chain of sources.
#[cfg(feature = "anyhow")]
impl StatusCode for anyhow::Error {
    forward!(self => Chain(&**self));
}

/// An error of unknown type, judged by the first error in its chain of sources that is known.
struct Chain<'a>(&'a (dyn StdError + 'static));

impl StatusCode for Chain<'_> {
    fn status_code(&self) -> Option<u16> {
        in_chain(self.0)?.status_code()
    }
    fn retry_after(&self) -> Option<Duration> {
        in_chain(self.0)?.retry_after()
    }
    fn reason(&self) -> Option<Reason> {
        in_chain(self.0)?.reason()
    }
}

fn in_chain<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a dyn StatusCode> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let found @ Some(_) = known(error) {
            return found;
        }
        next = error.source();
    }
    None
}

fn known<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a dyn StatusCode> {
    fn as_known<'a, E: StdError + StatusCode + 'static>(
        error: &'a (dyn StdError + 'static),
    ) -> Option<&'a dyn StatusCode> {
        error.downcast_ref::<E>().map(|error| error as &dyn StatusCode)
    }
    let found = as_known::<crate::Error>(error).or_else(|| as_known::<crate::HttpError>(error));
    #[cfg(feature = "reqwest")]
    let found = found.or_else(|| as_known::<reqwest::Error>(error));
    #[cfg(feature = "ureq")]
    let found = found.or_else(|| as_known::<ureq::Error>(error));
    #[cfg(feature = "hyper")]
    let found = found.or_else(|| as_known::<hyper::Error>(error));
    #[cfg(feature = "tonic")]
    let found = found.or_else(|| as_known::<tonic::Status>(error));
    #[cfg(feature = "async-openai")]
    let found = found.or_else(|| as_known::<async_openai::error::OpenAIError>(error));
    found.or_else(|| as_known::<io::Error>(error))
}

#[cfg(feature = "http")]
impl StatusCode for http::StatusCode {
    fn status_code(&self) -> Option<u16> {
        Some(self.as_u16())
    }
}

#[cfg(feature = "http")]
impl<B> StatusCode for http::Response<B> {
    fn status_code(&self) -> Option<u16> {
        Some(self.status().as_u16())
    }
    fn retry_after(&self) -> Option<Duration> {
        super::http_error::retry_after(self.headers())
    }
}

#[cfg(test)]
mod tests {
    use io::ErrorKind;

    use super::*;
    use crate::outcome::{HttpError, Verdict};

    fn http_error() -> HttpError {
        let body = r#"{"error": {"status": "X", "details": [{"reason": "API_KEY_INVALID"}]}}"#;
        HttpError::new(400, body)
    }

    fn throttled() -> HttpError {
        HttpError::from_parts(429, [("retry-after", "7")], "")
    }

    /// Status, reason and seconds to wait.
    fn said(error: &impl StatusCode) -> (Option<u16>, Option<Reason>, Option<u64>) {
        (error.status_code(), error.reason(), error.retry_after().map(|wait| wait.as_secs()))
    }

    const THROTTLED: (Option<u16>, Option<Reason>, Option<u64>) = (Some(429), Some(Reason::RateLimited), Some(7));

    /// An error of the program's own around another.
    #[derive(Debug)]
    struct Around(Box<dyn StdError + Send + Sync>);

    impl std::fmt::Display for Around {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the call failed")
        }
    }

    impl StdError for Around {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&*self.0)
        }
    }

    #[test]
    fn pointers_say_what_they_point_to() {
        assert_eq!(said(&&throttled()), THROTTLED);
        assert_eq!(said(&Box::new(throttled())), THROTTLED);
        assert_eq!(said(&Arc::new(throttled())), THROTTLED);
        assert_eq!(said(&Rc::new(throttled())), THROTTLED);
    }

    #[test]
    fn boxed_errors_are_looked_through_to_one_that_is_known() {
        let shared: Box<dyn StdError + Send + Sync> = Box::new(Around(Box::new(Around(throttled().into()))));
        assert_eq!(said(&shared), THROTTLED);
        let local: Box<dyn StdError> = Box::new(Around(throttled().into()));
        assert_eq!(said(&local), THROTTLED);
        let unknown: Box<dyn StdError> = "anything".into();
        assert_eq!(said(&unknown), (None, None, None));
        let balancer: Box<dyn StdError> = Box::new(Around(Box::new(crate::Error::DeadlineExceeded)));
        assert_eq!(Verdict::error(&balancer), Verdict::Neutral);
        let broken: Box<dyn StdError> = Box::new(Around(io::Error::from(ErrorKind::BrokenPipe).into()));
        assert_eq!(said(&broken), (None, Some(Reason::Network), None));
        #[cfg(feature = "anyhow")]
        assert_eq!(said(&anyhow::Error::from(throttled()).context("the call failed")), THROTTLED);
    }

    #[test]
    fn an_io_error_is_the_networks_unless_it_knows_better() {
        for kind in [
            ErrorKind::ConnectionRefused,
            ErrorKind::ConnectionReset,
            ErrorKind::TimedOut,
            ErrorKind::UnexpectedEof,
            ErrorKind::BrokenPipe,
            ErrorKind::HostUnreachable,
            ErrorKind::PermissionDenied,
            ErrorKind::InvalidData,
            ErrorKind::Other,
        ] {
            assert_eq!(said(&io::Error::from(kind)), (None, Some(Reason::Network), None), "{kind}");
        }
        assert_eq!(said(&io::Error::other(throttled())), THROTTLED);
        assert_eq!(said(&io::Error::other(Around(throttled().into()))), THROTTLED);
        assert_eq!(said(&io::Error::other(http_error())).1, Some(Reason::InvalidKey));
    }

    #[test]
    fn a_file_that_can_not_be_read_is_no_keys_fault() {
        for kind in [
            ErrorKind::NotFound,
            ErrorKind::AlreadyExists,
            ErrorKind::NotADirectory,
            ErrorKind::IsADirectory,
            ErrorKind::DirectoryNotEmpty,
            ErrorKind::ReadOnlyFilesystem,
            ErrorKind::StorageFull,
            ErrorKind::InvalidInput,
            ErrorKind::Unsupported,
            ErrorKind::OutOfMemory,
        ] {
            assert_eq!(said(&io::Error::from(kind)), (None, Some(Reason::Request), None), "{kind}");
        }
        let missing = std::fs::File::open("/no/such/file").unwrap_err();
        assert!(!missing.reason().unwrap().is_retryable());
    }

    #[cfg(feature = "http")]
    #[test]
    fn an_http_response_is_judged_by_status_and_headers() {
        assert_eq!(said(&http::StatusCode::FORBIDDEN), (Some(403), None, None));
        let response = http::Response::builder().status(429).header("retry-after", "7").body(()).unwrap();
        assert_eq!(said(&response), (Some(429), None, Some(7)));
        assert!(matches!(Verdict::ok(&response), Verdict::Failure(_)));
    }
}
