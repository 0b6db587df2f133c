#![no_implicit_prelude]
#![deny(warnings, clippy::all, clippy::pedantic, clippy::nursery, clippy::allow_attributes)]
#![forbid(unsafe_code, unused, missing_docs, unused_qualifications, dead_code, elided_lifetimes_in_paths)]
#![forbid(single_use_lifetimes, unreachable_pub, variant_size_differences, trivial_casts, unused_lifetimes)]
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
/// Another.
#[expect(non_camel_case_types, reason = "the name is the point")]
#[derive(::std::fmt::Debug)]
pub struct u16;
/// Another.
pub trait StatusCode {
    /// As egb's.
    fn status_code(&self) -> u16 {
        u16
    }
    /// As egb's.
    fn retry_after(&self) -> u16 {
        u16
    }
    /// As egb's.
    fn reason(&self) -> u16 {
        u16
    }
}
impl<T> StatusCode for T {}
/// Others.
pub mod core {}
/// Others.
pub mod std {}
/// Others.
pub mod egb {}

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
        code: ::std::option::Option<::std::primitive::u16>,
        /// The wait.
        #[deprecated]
        #[retry_after]
        wait: ::std::option::Option<::std::string::String>,
        /// The rest.
        rest: [u8; N],
    },
    /// Nor this.
    #[deprecated]
    #[status(transparent)]
    Oldest(#[deprecated] ::std::boxed::Box<T>),
    /// An error of another kind.
    #[status(transparent)]
    Other(T),
    /// The same again.
    #[status(429)]
    Same,
    /// With a reason.
    #[status(400, reason = InvalidKey)]
    Reason(u8),
    /// In itself.
    #[status(transparent)]
    Nested(::std::option::Option<::std::boxed::Box<Self>>),
}

/// A deprecated type.
#[deprecated]
#[derive(::std::fmt::Debug, ::egb::StatusCode)]
#[status(404)]
pub struct Gone;

/// A type with a deprecated type inside.
#[expect(deprecated, reason = "the user's own use of it")]
#[derive(::std::fmt::Debug, ::egb::StatusCode)]
#[status(transparent)]
pub struct Around(Gone);

/// The same, said of the field.
#[derive(::std::fmt::Debug, ::egb::StatusCode)]
pub enum AroundInside {
    /// Here.
    #[status(transparent)]
    Inside(#[expect(deprecated, reason = "the user's own use of it")] Gone),
    /// Or here.
    #[expect(deprecated, reason = "the user's own use of it")]
    #[status(transparent)]
    Option(::std::option::Option<Gone>),
}

/// A recursive one that names itself.
#[expect(clippy::use_self, reason = "the user's own way to write it")]
#[derive(::std::fmt::Debug, ::egb::StatusCode)]
pub enum Nested {
    /// In itself.
    #[status(transparent)]
    Inside(::std::boxed::Box<Nested>),
    /// The end.
    #[status(404)]
    Outside,
}

/// One without values.
#[derive(::std::fmt::Debug, ::egb::StatusCode)]
pub enum Never {}

/// All the same.
#[derive(::std::clone::Clone, ::std::marker::Copy, ::std::fmt::Debug, ::egb::StatusCode)]
#[non_exhaustive]
pub enum Plain {
    /// One.
    #[status(none)]
    One,
    /// Another.
    #[status(none)]
    Other,
}

/// Of one field.
#[derive(::std::fmt::Debug, ::egb::StatusCode)]
#[status(field = status)]
pub struct Answer<'a> {
    /// The status.
    pub status: ::std::primitive::u16,
    /// The wait.
    #[retry_after]
    pub wait: &'a str,
}

/// Unit.
#[derive(::std::fmt::Debug, ::egb::StatusCode)]
#[status(404)]
pub struct Unit;

fn main() {
    let error: ApiError<::egb::HttpError, 1> = ApiError::Other(::egb::HttpError::new(403, ""));
    ::std::assert_eq!(::egb::StatusCode::status_code(&error), ::std::option::Option::Some(403));
    let answer = Answer { status: 429, wait: "3" };
    let wait = ::std::time::Duration::from_secs(3);
    ::std::assert_eq!(::egb::StatusCode::retry_after(&answer), ::std::option::Option::Some(wait));
}
