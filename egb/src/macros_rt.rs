//! What the expansion of `#[balanced]` calls. Nothing else does, and none of it is stable.
#![expect(clippy::missing_errors_doc, reason = "not for readers: the errors are those of the attribute's manual")]

use std::future::Future;
use std::ops::Deref;

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

/// What `balancer = ..` takes: a balancer, or anything that dereferences to one, however deep.
#[diagnostic::on_unimplemented(
    message = "`balancer = ..` takes an `egb::Balancer`, and this is `{Self}`",
    label = "no balancer",
    note = "give a `Balancer`, a reference or smart pointer to one, or the name of a registered one: `balancer = \"name\"`"
)]
pub trait AsBalancer {
    /// The balancer.
    fn as_balancer(&self) -> &Balancer;
}

impl AsBalancer for Balancer {
    fn as_balancer(&self) -> &Balancer {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<P: Deref<Target: AsBalancer>> AsBalancer for P {
    fn as_balancer(&self) -> &Balancer {
        (**self).as_balancer()
    }
}

/// The balancer that an expression gives.
pub fn given(balancer: &impl AsBalancer) -> Result<Balancer, Error> {
    Ok(balancer.as_balancer().clone())
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
    /// The verdict of the error; without one, what `ok` says.
    fn verdict(&self, ok: impl FnOnce() -> Verdict) -> Verdict;
}

impl<R: Fallible<Err: StatusCode>> Judged for R {
    fn verdict(&self, ok: impl FnOnce() -> Verdict) -> Verdict {
        self.error().map_or_else(ok, Verdict::error)
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
    /// By the status.
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

/// How `N` keys are handed to the body.
#[diagnostic::on_unimplemented(
    message = "the key can't be handed over as `{Self}`",
    label = "not a type for `keys = {N}`",
    note = "take one key as `key: egb::Key`, `&egb::Key`, `&str` or `String`",
    note = "take `keys = N` as `keys: [egb::Key; N]`, `&[egb::Key]` or `Vec<egb::Key>`"
)]
pub trait Inject<'l, const N: usize>: Sized {
    /// From the lease of this attempt.
    fn inject(lease: &'l Lease) -> Self;
}

impl<'l> Inject<'l, 1> for &'l Key {
    fn inject(lease: &'l Lease) -> Self {
        lease.key()
    }
}

impl Inject<'_, 1> for Key {
    fn inject(lease: &Lease) -> Self {
        lease.key().clone()
    }
}

impl<'l> Inject<'l, 1> for &'l str {
    fn inject(lease: &'l Lease) -> Self {
        lease.key().expose_secret()
    }
}

impl Inject<'_, 1> for String {
    fn inject(lease: &Lease) -> Self {
        lease.key().expose_secret().to_owned()
    }
}

impl<'l, const N: usize> Inject<'l, N> for &'l [Key] {
    fn inject(lease: &'l Lease) -> Self {
        lease.keys()
    }
}

impl<const N: usize> Inject<'_, N> for Vec<Key> {
    fn inject(lease: &Lease) -> Self {
        lease.keys().to_vec()
    }
}

impl<const N: usize> Inject<'_, N> for [Key; N] {
    fn inject(lease: &Lease) -> Self {
        std::array::from_fn(|at| lease.keys()[at].clone())
    }
}
