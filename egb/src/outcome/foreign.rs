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

/// An I/O error is the network's, unless it wraps an error that knows better.
impl StatusCode for io::Error {
    fn status_code(&self) -> Option<u16> {
        self.get_ref().and_then(|inner| in_chain(inner)?.status_code())
    }
    fn retry_after(&self) -> Option<Duration> {
        self.get_ref().and_then(|inner| in_chain(inner)?.retry_after())
    }
    fn reason(&self) -> Option<Reason> {
        let wrapped = self.get_ref().and_then(|inner| in_chain(inner));
        wrapped.map_or(Some(Reason::Network), StatusCode::reason)
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
