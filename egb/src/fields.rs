//! What the fields of a `#[derive(StatusCode)]` may hold: a status, or how long to wait.
//! Called by the expansion alone; how a header is read is the outcome's business.

use std::borrow::Cow;
use std::num::NonZeroU16;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::outcome;

/// A field that holds a status, for `#[status(field = ..)]`.
#[diagnostic::on_unimplemented(
    message = "a status can't be read from a field of type `{Self}`",
    label = "not a status",
    note = "the field is a `u16` (or `NonZeroU16`, `u32`, `i32`, `u64`, `i64`, `http::StatusCode`), or an `Option` of one"
)]
pub trait StatusField {
    /// The status, if there is one.
    fn status(&self) -> Option<u16>;
}

macro_rules! status_fields {
    ($($number:ty)*) => {$(
        impl StatusField for $number {
            fn status(&self) -> Option<u16> {
                u16::try_from(*self).ok()
            }
        }
    )*};
}

// Wider ones, because the codes in JSON bodies are often kept in them.
status_fields!(NonZeroU16 u32 i32 u64 i64);

impl StatusField for u16 {
    fn status(&self) -> Option<u16> {
        Some(*self)
    }
}

#[cfg(feature = "http")]
impl StatusField for http::StatusCode {
    fn status(&self) -> Option<u16> {
        Some(self.as_u16())
    }
}

#[diagnostic::do_not_recommend]
impl<T: StatusField> StatusField for &T {
    fn status(&self) -> Option<u16> {
        (**self).status()
    }
}

#[diagnostic::do_not_recommend]
impl<T: StatusField> StatusField for Option<T> {
    fn status(&self) -> Option<u16> {
        self.as_ref()?.status()
    }
}

/// A field that holds how long to wait, for `#[retry_after]`.
#[diagnostic::on_unimplemented(
    message = "a wait can't be read from a field of type `{Self}`",
    label = "neither a `Duration` nor text",
    note = "the field is a `std::time::Duration`, the text of a `Retry-After` header (`String`, `&str`), or an `Option` of one",
    note = "a number has no unit; make it `Duration::from_secs(number)` or `Duration::from_millis(number)`"
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

impl RetryAfterField for str {
    fn retry_after(&self) -> Option<Duration> {
        outcome::retry_after_value(self.as_bytes())
    }
}

impl RetryAfterField for String {
    fn retry_after(&self) -> Option<Duration> {
        self.as_str().retry_after()
    }
}

#[cfg(feature = "http")]
impl RetryAfterField for http::HeaderValue {
    fn retry_after(&self) -> Option<Duration> {
        outcome::retry_after_value(self.as_bytes())
    }
}

macro_rules! pointers {
    ($($pointer:ty)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<T: RetryAfterField + ?Sized> RetryAfterField for $pointer {
            fn retry_after(&self) -> Option<Duration> {
                (**self).retry_after()
            }
        }
    )*};
}

pointers!(&T Box<T> Rc<T> Arc<T>);

#[diagnostic::do_not_recommend]
impl<T: RetryAfterField + ToOwned + ?Sized> RetryAfterField for Cow<'_, T> {
    fn retry_after(&self) -> Option<Duration> {
        (**self).retry_after()
    }
}

#[diagnostic::do_not_recommend]
impl<T: RetryAfterField> RetryAfterField for Option<T> {
    fn retry_after(&self) -> Option<Duration> {
        self.as_ref()?.retry_after()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const MINUTE: Duration = Duration::from_secs(60);

    /// As RFC 9110 (5.6.7) writes it, so far from now.
    fn http_date(from_now: impl FnOnce(jiff::Timestamp) -> jiff::Timestamp) -> String {
        let now = jiff::Timestamp::try_from(clock::system_utc()).unwrap();
        jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&from_now(now)).unwrap()
    }

    #[test]
    fn a_date_is_measured_from_the_wall_clock() {
        let wait = http_date(|now| now + MINUTE).retry_after().unwrap();
        // A date has no fractions, and the test takes its time.
        assert!((MINUTE / 2..=MINUTE).contains(&wait), "{wait:?}");
        assert_eq!(http_date(|now| now - MINUTE).retry_after(), None);
    }

    #[test]
    fn text_that_is_no_wait_is_none() {
        for text in ["", " ", "soon", "-1", "0", "1e3", "Sun, 99 Nov 1994 08:49:37 GMT"] {
            assert_eq!(text.retry_after(), None, "{text:?}");
        }
        assert_eq!(" 60 ".retry_after(), Some(MINUTE));
    }

    #[test]
    fn numbers_that_are_no_status_are_none() {
        assert_eq!(i32::MIN.status().or(u32::MAX.status()).or(i64::MAX.status()).or(u64::MAX.status()), None);
        assert_eq!((404_u64.status(), 404_i64.status(), (&404_u16).status()), (Some(404), Some(404), Some(404)));
    }

    #[cfg(feature = "http")]
    #[test]
    fn a_header_that_is_no_text_is_none() {
        let header = |value| http::HeaderValue::from_bytes(value).unwrap().retry_after();
        assert_eq!((header(b"60"), header(b"60\xff")), (Some(MINUTE), None));
    }
}
