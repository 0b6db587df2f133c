//! What balanced functions return, and the verdict that lies in it.

use std::ops::Deref;

use crate::error::Error;
use crate::outcome::{StatusCode, Verdict};

/// What a balanced function returns: a `Result`, under whatever name.
#[diagnostic::on_unimplemented(
    message = "a balanced function returns a `Result`, and this one returns `{Self}`",
    label = "egb can't tell from it how the call went",
    note = "return `Result<.., E>`; egb learns from it how the call went"
)]
pub trait Fallible {
    /// What a failure returns.
    type Err;
    /// A look at the failure.
    fn error(&self) -> Option<&Self::Err>;
    /// A failure.
    fn from_error(error: Self::Err) -> Self;
}

impl<T, E> Fallible for Result<T, E> {
    type Err = E;
    fn error(&self) -> Option<&E> {
        self.as_ref().err()
    }
    fn from_error(error: E) -> Self {
        Err(error)
    }
}

/// An error type that egb's own error converts to.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't hold the error that egb has when there is no key to give",
    label = "`From<egb::Error>` is missing for `{Self}`",
    note = "with thiserror, add a variant: `#[error(transparent)] #[status(transparent)] Balance(#[from] egb::Error)`"
)]
pub trait HoldsBalanceError {
    /// The conversion.
    fn hold(error: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<E: From<Error>> HoldsBalanceError for E {
    fn hold(error: Error) -> Self {
        error.into()
    }
}

/// A [`Fallible`] that can hold egb's own error. A trait of its own, so that the compiler says of the
/// return type what is missing; for every `Fallible`, so that it says once of another type that it is none.
pub trait Refusable: Fallible {
    /// The result of a call that got no key.
    fn refused(error: Error) -> Self;
}

impl<R: Fallible<Err: HoldsBalanceError>> Refusable for R {
    fn refused(error: Error) -> Self {
        Self::from_error(HoldsBalanceError::hold(error))
    }
}

/// A [`Fallible`] whose error says how the call went; as [`Refusable`].
pub trait Judged: Fallible {
    /// The verdict of the error; without one, `ok`. No closure, so that this is compiled once for a type of result.
    fn verdict(&self, ok: Verdict) -> Verdict;
}

impl<R: Fallible<Err: StatusCode>> Judged for R {
    fn verdict(&self, ok: Verdict) -> Verdict {
        self.error().map_or(ok, Verdict::error)
    }
}

/// The verdict that a `classify` function gives; its type is checked here.
pub fn classified(verdict: Verdict) -> Verdict {
    verdict
}

/// Judges the `Ok` of a result: by its status if its type has one, else as a success. The first `ok_verdict`
/// is found when `T: StatusCode`; when it is not, the compiler looks further, through `Deref`.
#[derive(Debug)]
pub struct Probe<'a, R>(&'a R, AnyOk);

/// An `Ok` value without a status.
#[derive(Debug)]
pub struct AnyOk;

impl<'a, R> Probe<'a, R> {
    /// Of this result.
    pub fn new(result: &'a R) -> Self {
        Self(result, AnyOk)
    }
}

impl<T: StatusCode, E> Probe<'_, Result<T, E>> {
    /// By the status; of an error it says nothing.
    pub fn ok_verdict(&self) -> Verdict {
        self.0.as_ref().map_or(Verdict::Neutral, Verdict::ok)
    }
}

impl<R> Deref for Probe<'_, R> {
    type Target = AnyOk;
    fn deref(&self) -> &AnyOk {
        &self.1
    }
}

impl AnyOk {
    /// A success.
    pub fn ok_verdict(&self) -> Verdict {
        Verdict::Success
    }
}
