//! What the expansion of `#[balanced]` calls. Nothing else does, and none of it is stable.
#![expect(clippy::missing_errors_doc, reason = "not for readers: the errors are those of the attribute's manual")]

use std::future::Future;
use std::ops::Deref;

use once_cell::sync::OnceCell;

use crate::balancer::Balancer;
use crate::checkout::Checkout;
pub use crate::checkout::Waiting;
use crate::context;
pub use crate::context::InCall;
use crate::error::Error;
use crate::lease::LeaseCore;
pub use crate::outcome::Verdict;
use crate::registry;
pub use crate::store::Ack;

mod attempts;
mod deadline;
mod fields;
mod inject;
mod lent;
mod results;
mod values;

pub use attempts::{Again, Attempts, NextAttempt, Pace};
pub use deadline::{Deadline, InTime, in_time};
pub use fields::{RetryAfterField, StatusField};
pub use inject::Inject;
pub use lent::{Lent, Running, lend};
pub use results::{AnyOk, Fallible, HoldsBalanceError, Judged, Probe, Refusable, classified};
pub use values::{BackoffValue, LimitValue, ScopeValue, SessionValue};

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

/// A call that is about to begin, with the options that it has.
#[derive(Debug)]
pub struct Call(Result<Checkout, Error>);

impl Call {
    /// With so many keys of this balancer.
    pub fn new(balancer: Result<Balancer, Error>, count: usize) -> Self {
        Self(balancer.map(|balancer| balancer.checkout().keys(count)))
    }

    /// `scope = ..`
    #[must_use]
    pub fn scope<S: ScopeValue + ?Sized>(self, scope: &S) -> Self {
        match scope.scope_name() {
            Some(name) => Self(self.0.map(|checkout| checkout.scope(name))),
            None => self,
        }
    }

    /// `affinity = ..`
    #[must_use]
    pub fn affinity<S: SessionValue + ?Sized>(self, session: &S) -> Self {
        Self(self.0.map(|checkout| session.stick(checkout)))
    }

    /// `wait = ..`
    #[must_use]
    pub fn wait(self, at_most: impl LimitValue) -> Self {
        let at_most = at_most.limit().unwrap_or_default();
        Self(self.0.map(|checkout| checkout.wait(at_most)))
    }

    /// `deadline = ..`: bounds the wait, and tells when the call ends.
    pub fn deadline(self, within: impl LimitValue) -> (Self, Deadline) {
        let (Ok(checkout), Some(within)) = (&self.0, within.limit()) else { return (self, Deadline::NEVER) };
        let deadline = Deadline::after(within, checkout.balancer());
        (Self(self.0.map(|checkout| checkout.within(within))), deadline)
    }

    /// Leases the keys.
    pub fn lease(self) -> Result<LeaseCore, Error> {
        self.0?.into_core()
    }

    /// The async twin of [`lease`](Self::lease), for calls that may wait.
    pub async fn lease_async(self) -> Result<LeaseCore, Error> {
        self.0?.waiting().await
    }
}

/// Ends a call, and waits until a disablement is on disk.
pub fn end(call: impl Running, verdict: &Verdict) {
    call.end(verdict).wait();
}

/// The async twin of [`end`]: `Some` is to be awaited before the function returns. Not an async fn,
/// which would keep lease and verdict in the caller's future.
pub fn end_async(call: impl Running, verdict: &Verdict) -> Option<Ack> {
    call.end(verdict).into_ack()
}

/// Runs the body of a sync function.
pub fn with_keys<R>(call: &impl Running, body: impl FnOnce() -> R) -> R {
    context::with_keys(call.held(), body)
}

/// Runs the body of an async function.
pub fn in_call<F: Future>(call: &impl Running, body: F) -> InCall<F> {
    context::in_call(call.held(), body)
}
