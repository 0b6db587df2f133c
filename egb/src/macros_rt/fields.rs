//! What the fields of a `#[derive(StatusCode)]` may hold.

use std::time::Duration;

/// A field that holds a status, for `#[status(field = ..)]`.
#[diagnostic::on_unimplemented(
    message = "a status can't be read from a field of type `{Self}`",
    label = "not a status",
    note = "the field is a `u16` (or `i32`, `u32`, `http::StatusCode`), or an `Option` of one"
)]
pub trait StatusField {
    /// The status, if there is one.
    fn status(&self) -> Option<u16>;
}

impl StatusField for u16 {
    fn status(&self) -> Option<u16> {
        Some(*self)
    }
}

impl StatusField for u32 {
    fn status(&self) -> Option<u16> {
        u16::try_from(*self).ok()
    }
}

impl StatusField for i32 {
    fn status(&self) -> Option<u16> {
        u16::try_from(*self).ok()
    }
}

#[cfg(feature = "http")]
impl StatusField for http::StatusCode {
    fn status(&self) -> Option<u16> {
        Some(self.as_u16())
    }
}

impl<T: StatusField> StatusField for Option<T> {
    fn status(&self) -> Option<u16> {
        self.as_ref()?.status()
    }
}

/// A field that holds how long to wait, for `#[retry_after]`.
#[diagnostic::on_unimplemented(
    message = "a wait can't be read from a field of type `{Self}`",
    label = "not a `Duration`",
    note = "the field is a `std::time::Duration`, or an `Option` of one"
)]
pub trait RetryAfterField {
    /// The wait, if there is one.
    fn retry_after(&self) -> Option<Duration>;
}

impl RetryAfterField for Duration {
    fn retry_after(&self) -> Option<Duration> {
        Some(*self)
    }
}

impl RetryAfterField for Option<Duration> {
    fn retry_after(&self) -> Option<Duration> {
        *self
    }
}
