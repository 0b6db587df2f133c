//! What the options `wait`, `deadline`, `backoff`, `scope` and `affinity` take, beside what the attribute
//! reads from a string.

use std::borrow::Cow;
use std::hash::Hash;
use std::ops::{Range, RangeInclusive};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::attempts::Backoff;
use crate::checkout::Checkout;

/// `wait` and `deadline`.
#[diagnostic::on_unimplemented(
    message = "`wait` and `deadline` take a duration, and this is `{Self}`",
    label = "no duration",
    note = "write it as \"5s\" or \"250ms\", or give a `std::time::Duration` (or an `Option` of one)"
)]
pub trait LimitValue {
    /// The duration; without one there is no such limit.
    fn limit(self) -> Option<Duration>;
}

impl LimitValue for Duration {
    fn limit(self) -> Option<Duration> {
        Some(self)
    }
}

impl LimitValue for Option<Duration> {
    fn limit(self) -> Option<Duration> {
        self
    }
}

/// `backoff`
#[diagnostic::on_unimplemented(
    message = "`backoff` takes a range of durations, and this is `{Self}`",
    label = "no range of durations",
    note = "write it as \"100ms..2s\", or give a `Range<Duration>`"
)]
pub trait BackoffValue {
    /// The pauses between attempts.
    #[expect(private_interfaces, reason = "the expansion passes it on and never names it")]
    fn backoff(self) -> Backoff;
}

#[expect(private_interfaces, reason = "as above")]
impl BackoffValue for Range<Duration> {
    fn backoff(self) -> Backoff {
        Backoff { first: self.start, longest: self.end }
    }
}

#[expect(private_interfaces, reason = "as above")]
impl BackoffValue for RangeInclusive<Duration> {
    fn backoff(self) -> Backoff {
        Backoff { first: *self.start(), longest: *self.end() }
    }
}

/// A pause up to this after each attempt.
#[expect(private_interfaces, reason = "as above")]
impl BackoffValue for Duration {
    fn backoff(self) -> Backoff {
        Backoff { first: self, longest: self }
    }
}

/// `scope`
#[diagnostic::on_unimplemented(
    message = "`scope` takes a name, and this is `{Self}`",
    label = "no name",
    note = "give a string (a `&str`, a `String`, or an `Option` of one)"
)]
pub trait ScopeValue {
    /// The name; without one the call has no scope.
    fn scope_name(&self) -> Option<&str>;
}

impl ScopeValue for str {
    fn scope_name(&self) -> Option<&str> {
        Some(self)
    }
}

impl ScopeValue for String {
    fn scope_name(&self) -> Option<&str> {
        Some(self)
    }
}

impl ScopeValue for Cow<'_, str> {
    fn scope_name(&self) -> Option<&str> {
        Some(self)
    }
}

impl<T: ScopeValue> ScopeValue for Option<T> {
    fn scope_name(&self) -> Option<&str> {
        self.as_ref()?.scope_name()
    }
}

/// `affinity`
#[diagnostic::on_unimplemented(
    message = "`affinity` takes the id of a session, and this is `{Self}`",
    label = "no id",
    note = "give a string, a whole number, bytes, or an `Option` of one"
)]
pub trait SessionValue {
    /// Lets the session stick to a key; without one it is as if the option were not there.
    fn stick(&self, checkout: Checkout) -> Checkout;
}

impl<T: SessionValue> SessionValue for Option<T> {
    fn stick(&self, checkout: Checkout) -> Checkout {
        match self {
            Some(session) => session.stick(checkout),
            None => checkout,
        }
    }
}

impl<T: Hash> SessionValue for [T] {
    fn stick(&self, checkout: Checkout) -> Checkout {
        checkout.affinity(self)
    }
}

impl<T: Hash, const N: usize> SessionValue for [T; N] {
    fn stick(&self, checkout: Checkout) -> Checkout {
        checkout.affinity(self)
    }
}

impl<A: Hash, B: Hash> SessionValue for (A, B) {
    fn stick(&self, checkout: Checkout) -> Checkout {
        checkout.affinity(self)
    }
}

macro_rules! sessions {
    ($($session:ty),*) => {
        $(impl SessionValue for $session {
            fn stick(&self, checkout: Checkout) -> Checkout {
                checkout.affinity(self)
            }
        })*
    };
}

sessions!(str, String, Cow<'_, str>, char, u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);

macro_rules! through_pointers {
    ($($pointer:ty),*) => {
        $(impl<T: ScopeValue + ?Sized> ScopeValue for $pointer {
            fn scope_name(&self) -> Option<&str> {
                (**self).scope_name()
            }
        }

        impl<T: SessionValue + ?Sized> SessionValue for $pointer {
            fn stick(&self, checkout: Checkout) -> Checkout {
                (**self).stick(checkout)
            }
        })*
    };
}

through_pointers!(&T, &mut T, Box<T>, Rc<T>, Arc<T>);
