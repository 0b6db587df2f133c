//! Beside other attributes, made by macros, conditional, and with sources in every form of thiserror's.

use std::sync::Arc;

use egb::{Reason, StatusCode};

macro_rules! errors {
    ($(#[$meta:meta])* $name:ident { $($variant:ident($($ty:ty)?) = $status:expr),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, StatusCode)]
        enum $name {
            $(#[status($status)] $variant $(($ty))?,)*
        }
    };
}

errors!(
    #[non_exhaustive]
    Made { Throttled(u64) = 429, Gone(Option<Arc<str>>) = 410, Plain() = 500 }
);

#[derive(Debug, thiserror::Error, StatusCode)]
#[repr(u8)]
#[allow(clippy::enum_variant_names)]
enum Conditional {
    #[cfg(all())]
    #[error("kept")]
    #[status(401)]
    Kept = 7,
    #[cfg(any())]
    #[error("left out")]
    #[status(field = nowhere)]
    LeftOut { nowhere: Missing } = 8,
    #[error("also kept")]
    #[status(field = status)]
    AlsoKept {
        #[cfg(all())]
        status: u16,
        #[cfg(any())]
        gone: Missing,
    } = 9,
}

#[derive(Debug, thiserror::Error, StatusCode)]
enum Sources {
    #[error("with a context: {context}")]
    #[status(transparent)]
    Named { context: &'static str, source: Arc<egb::HttpError> },
    #[error("boxed")]
    #[status(transparent)]
    Boxed(#[source] Box<egb::HttpError>, u8),
    #[error("anything")]
    #[status(transparent)]
    Any(#[from] Box<dyn std::error::Error + Send + Sync>),
    #[error("of its own kind")]
    #[status(transparent, reason = Server)]
    Nested(#[source] Box<Sources>),
}

mod of_ones_own {
    /// A path that is re-exported.
    pub mod sdk {
        pub use egb;
    }

    #[derive(egb::StatusCode)]
    #[status(418, crate = crate::of_ones_own::sdk::egb)]
    pub struct Teapot;
}

fn main() {
    assert_eq!(Made::Throttled(1).status_code(), Some(429));
    assert_eq!(Made::Gone(None).status_code(), Some(410));
    assert_eq!(Made::Plain.status_code(), Some(500));
    assert_eq!(Conditional::Kept.status_code(), Some(401));
    assert_eq!(Conditional::AlsoKept { status: 404 }.status_code(), Some(404));
    let http = || egb::HttpError::new(403, "");
    let named = Sources::Named { context: "asking", source: Arc::new(http()) };
    assert_eq!((named.status_code(), named.reason()), (Some(403), Some(Reason::Forbidden)));
    assert_eq!(Sources::Boxed(Box::new(http()), 1).status_code(), Some(403));
    assert_eq!(Sources::Any(http().into()).status_code(), Some(403));
    let nested = Sources::Nested(Box::new(named));
    assert_eq!((nested.status_code(), nested.reason()), (Some(403), Some(Reason::Server)));
    assert_eq!(of_ones_own::Teapot.status_code(), Some(418));
}
