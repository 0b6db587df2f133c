#![no_implicit_prelude]
#![deny(warnings, clippy::all, clippy::pedantic, clippy::nursery)]
#![forbid(unsafe_code, unused, missing_docs, deprecated, unused_qualifications, dead_code)]
//! The derive in a crate without a prelude that forbids what it can.

/// Names of the user's that the expansion must not fall for.
#[derive(::std::fmt::Debug)]
pub struct Some;
/// Another.
#[derive(::std::fmt::Debug)]
pub struct None;
/// Another.
#[derive(::std::fmt::Debug)]
pub struct Option;

/// An error.
#[derive(::std::fmt::Debug, ::egb::StatusCode)]
pub enum ApiError<T, const N: usize>
where
    T: ::std::fmt::Debug,
{
    /// No longer made.
    #[deprecated]
    #[status(429)]
    Old,
    /// Nor this.
    #[deprecated(since = "0.1.0", note = "never was")]
    #[status(field = code)]
    Older {
        /// The status.
        #[deprecated]
        code: ::std::option::Option<u16>,
        /// The rest.
        rest: [u8; N],
    },
    /// An error of another kind.
    #[status(transparent)]
    Other(T),
}

fn main() {
    let error: ApiError<::egb::HttpError, 1> = ApiError::Other(::egb::HttpError::new(403, ""));
    ::std::assert_eq!(::egb::StatusCode::status_code(&error), ::std::option::Option::Some(403));
}
