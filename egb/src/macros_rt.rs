//! What the expansion of `#[balanced]` calls. Nothing else does, and none of it is stable.
#![expect(clippy::missing_errors_doc, reason = "not for readers: the errors are those of the attribute's manual")]

use std::future::Future;
use std::ops::Deref;
use std::time::Duration;

use once_cell::sync::OnceCell;

use crate::balancer::Balancer;
use crate::context;
pub use crate::context::InLease;
use crate::error::Error;
use crate::key::Key;
use crate::lease::Lease;
use crate::outcome::StatusCode;
pub use crate::outcome::Verdict;
use crate::registry;
use crate::schedule::SlotId;
pub use crate::store::Ack;

/// The balancer of a function with `balancer = "name"`, looked up at the first call.
#[derive(Debug)]
pub struct Site {
    name: &'static str,
    found: OnceCell<Balancer>,
}

impl Site {
    /// Of this name.
    pub const fn new(name: &'static str) -> Self {
        Self { name, found: OnceCell::new() }
    }

    /// The balancer, or that there is none yet.
    pub fn balancer(&self) -> Result<Balancer, Error> {
        self.found.get_or_try_init(|| registry::get(self.name)).cloned()
    }
}

/// The balancer of a function that names none.
pub fn global() -> Result<Balancer, Error> {
    registry::current()
}

/// The balancer that an expression gives; references and smart pointers coerce.
pub fn given(balancer: &Balancer) -> Result<Balancer, Error> {
    Ok(balancer.clone())
}

/// Leases `count` keys.
pub fn lease(balancer: Result<Balancer, Error>, count: usize) -> Result<Lease, Error> {
    balancer?.leases(count)
}

/// Ends a call, and waits until a disablement is on disk.
pub fn end(lease: Lease, verdict: &Verdict) {
    lease.settle(verdict).wait();
}

/// The async twin of [`end`]: `Some` is to be awaited before the function returns. Not an async fn,
/// which would keep lease and verdict in the caller's future.
pub fn end_async(lease: Lease, verdict: &Verdict) -> Option<Ack> {
    lease.settle(verdict).into_ack()
}

/// Runs the body of a sync function.
pub fn with_lease<R>(lease: &Lease, body: impl FnOnce() -> R) -> R {
    context::with_lease(lease, body)
}

/// Runs the body of an async function.
pub fn in_lease<F: Future>(lease: &Lease, body: F) -> InLease<F> {
    context::in_lease(lease, body)
}

/// The attempts that are left to a call, and the keys that it tried.
#[derive(Debug)]
pub struct Retry {
    left: u32,
    tried: Vec<SlotId>,
}

impl Retry {
    /// `retries` further attempts.
    pub fn new(retries: u32) -> Self {
        Self { left: retries, tried: Vec::new() }
    }

    /// Ends an attempt. `Some` is the lease for the next one, when the key or the server was at fault
    /// and a key that was not tried is free.
    pub fn next(&mut self, lease: Lease, verdict: &Verdict) -> Option<Lease> {
        let next = self.prepare(&lease, verdict);
        lease.settle(verdict).wait();
        self.take(next)
    }

    /// The async twin of [`next`](Self::next), with what is to be awaited, as of [`end_async`].
    pub fn next_async(&mut self, lease: Lease, verdict: &Verdict) -> (Option<Lease>, Option<Ack>) {
        let next = self.prepare(&lease, verdict);
        let ack = lease.settle(verdict).into_ack();
        (self.take(next), ack)
    }

    /// Where the next attempt gets its keys, and how many.
    fn prepare(&mut self, lease: &Lease, verdict: &Verdict) -> Option<(Balancer, usize)> {
        let Verdict::Failure(failure) = verdict else { return None };
        if self.left == 0 || !failure.reason().is_retryable() {
            return None;
        }
        self.left -= 1;
        self.tried.extend(lease.tickets());
        Some((lease.balancer().clone(), lease.keys().len()))
    }

    fn take(&mut self, next: Option<(Balancer, usize)>) -> Option<Lease> {
        let (balancer, count) = next?;
        // Without another key the caller gets the error of its own call, not one of egb's.
        balancer.lease_excluding(count, &self.tried).ok()
    }
}

/// An argument that a retry needs again.
pub trait Again: Sized {
    /// A copy for one attempt.
    #[must_use]
    fn again(&self) -> Self;
}

impl<T: Clone> Again for T {
    fn again(&self) -> Self {
        self.clone()
    }
}

/// What a balanced function returns: a `Result`, under whatever name.
#[diagnostic::on_unimplemented(
    message = "a balanced function returns a `Result`, and this one returns `{Self}`",
    label = "egb can't tell from it how the call went",
    note = "return `Result<.., E>`; egb learns from it how the call went"
)]
pub trait Fallible {
    /// What a success returns.
    type Ok;
    /// What a failure returns.
    type Err;
    /// A look at it.
    fn as_result(&self) -> Result<&Self::Ok, &Self::Err>;
}

impl<T, E> Fallible for Result<T, E> {
    type Ok = T;
    type Err = E;
    fn as_result(&self) -> Result<&T, &E> {
        self.as_ref()
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
/// return type what is missing.
#[diagnostic::on_unimplemented(
    message = "a balanced function returns a `Result`, and this one returns `{Self}`",
    label = "egb can't tell from it how the call went",
    note = "return `Result<.., E>`; egb learns from it how the call went"
)]
pub trait Refusable {
    /// The result of a call that got no key.
    fn refused(error: Error) -> Self;
}

impl<T, E: HoldsBalanceError> Refusable for Result<T, E> {
    fn refused(error: Error) -> Self {
        Err(E::hold(error))
    }
}

/// A [`Fallible`] whose error says how the call went; as [`Refusable`].
#[diagnostic::on_unimplemented(
    message = "a balanced function returns a `Result`, and this one returns `{Self}`",
    label = "egb can't tell from it how the call went",
    note = "return `Result<.., E>`; egb learns from it how the call went"
)]
pub trait Judged: Fallible {
    /// The verdict of the error.
    fn error(error: &Self::Err) -> Verdict;
}

impl<T, E: StatusCode> Judged for Result<T, E> {
    fn error(error: &E) -> Verdict {
        Verdict::error(error)
    }
}

/// The verdict that a `classify` function gives; its type is checked here.
pub fn classified(verdict: Verdict) -> Verdict {
    verdict
}

/// Judges an `Ok` value: by its status if its type has one, else as a success. The first `verdict` is
/// found when `T: StatusCode`; when it is not, the compiler looks further, through `Deref`.
#[derive(Debug)]
pub struct Probe<'a, T: ?Sized>(&'a T, AnyOk);

/// An `Ok` value without a status.
#[derive(Debug)]
pub struct AnyOk;

impl<'a, T: ?Sized> Probe<'a, T> {
    /// Of this value.
    pub fn new(value: &'a T) -> Self {
        Self(value, AnyOk)
    }
}

impl<T: StatusCode + ?Sized> Probe<'_, T> {
    /// By the status.
    pub fn verdict(&self) -> Verdict {
        Verdict::ok(self.0)
    }
}

impl<T: ?Sized> Deref for Probe<'_, T> {
    type Target = AnyOk;
    fn deref(&self) -> &AnyOk {
        &self.1
    }
}

impl AnyOk {
    /// A success.
    pub fn verdict(&self) -> Verdict {
        Verdict::Success
    }
}

/// How a key is handed to the body.
#[diagnostic::on_unimplemented(
    message = "a key can't be handed over as `{Self}`",
    label = "not a type that takes keys",
    note = "take `key: egb::Key`, `&egb::Key`, `&str` or `String`; several as `keys: [egb::Key; N]`, `&[egb::Key]` or `Vec<egb::Key>`"
)]
pub trait Inject<'l>: Sized {
    /// From the lease of this attempt.
    fn inject(lease: &'l Lease) -> Self;
}

impl<'l> Inject<'l> for &'l Key {
    fn inject(lease: &'l Lease) -> Self {
        lease.key()
    }
}

impl Inject<'_> for Key {
    fn inject(lease: &Lease) -> Self {
        lease.key().clone()
    }
}

impl<'l> Inject<'l> for &'l str {
    fn inject(lease: &'l Lease) -> Self {
        lease.key().expose_secret()
    }
}

impl Inject<'_> for String {
    fn inject(lease: &Lease) -> Self {
        lease.key().expose_secret().to_owned()
    }
}

impl<'l> Inject<'l> for &'l [Key] {
    fn inject(lease: &'l Lease) -> Self {
        lease.keys()
    }
}

impl Inject<'_> for Vec<Key> {
    fn inject(lease: &Lease) -> Self {
        lease.keys().to_vec()
    }
}

/// The expansion has checked at compile time that the lease holds `N` keys.
impl<const N: usize> Inject<'_> for [Key; N] {
    fn inject(lease: &Lease) -> Self {
        std::array::from_fn(|at| lease.keys()[at].clone())
    }
}

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
