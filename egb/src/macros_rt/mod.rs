//! What the expansion of `#[balanced]` calls. Nothing else does, and none of it is stable.
#![expect(clippy::missing_errors_doc, reason = "not for readers: the errors are those of the attribute's manual")]

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use once_cell::sync::OnceCell;

use crate::balancer::Balancer;
use crate::checkout::Checkout;
pub use crate::checkout::Waiting;
use crate::context;
use crate::error::Error;
use crate::lease::LeaseCore;
pub use crate::outcome::Verdict;
use crate::registry;

mod attempts;
mod deadline;
mod fields;
mod hedged;
mod inject;
mod lent;
mod results;
mod run;
mod values;

pub use attempts::{Again, LastAttempt, NextAttempt, Pace, end, end_async, next, next_async};
pub use deadline::Deadline;
pub use fields::{RetryAfterField, StatusField};
pub use hedged::{Attempt, attempt, hedged};
pub use inject::{Inject, Keys};
pub use lent::{Lent, Running, lend};
pub use results::{AnyOk, Fallible, HoldsBalanceError, Judged, Probe, Refusable, classified};
pub use run::{InTime, Run, Step, in_time, run};
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

    /// `deadline = ..`: bounds the wait, and tells when the call ends. One that has passed gets no key.
    pub fn deadline(self, within: impl LimitValue) -> (Self, Deadline) {
        let (Ok(checkout), Some(within)) = (&self.0, within.limit()) else { return (self, Deadline::NEVER) };
        let deadline = Deadline::after(within, checkout.balancer());
        (Self(self.0.map(|checkout| checkout.until(deadline.tick()))), deadline)
    }

    /// Leases the keys.
    pub fn lease(self) -> Result<LeaseCore, Error> {
        self.0?.into_core()
    }

    /// The async twin of [`lease`](Self::lease), for calls that may wait.
    pub fn lease_async(self) -> Coming {
        let mut waiting = match self.0 {
            Ok(checkout) => checkout.waiting(),
            Err(error) => return Coming::There(Some(Err(error))),
        };
        // Who has to wait is polled again at once, and is woken from then on.
        match Pin::new(&mut waiting).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(lease) => Coming::There(Some(lease)),
            Poll::Pending => Coming::InLine(Box::new(waiting)),
        }
    }
}

/// The keys of a call that may wait for them. Small, and nothing is allocated unless it waits.
#[derive(Debug)]
#[must_use = "it is to be awaited"]
pub enum Coming {
    /// They were free, or none can be had.
    There(Option<Result<LeaseCore, Error>>),
    /// They are waited for.
    InLine(Box<Waiting>),
}

impl Future for Coming {
    type Output = Result<LeaseCore, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::There(lease) => Poll::Ready(lease.take().expect("a future is not polled again after it was ready")),
            Self::InLine(waiting) => Pin::new(&mut **waiting).poll(context),
        }
    }
}

/// The keys of a call, for its body. The call goes through by value: a variable that was borrowed keeps its
/// room in a future.
pub fn keys<L: Running>(call: L) -> (L, Keys) {
    let keys = Keys(call.held().clone());
    (call, keys)
}

/// The keys of a call in a form that borrows nothing.
pub fn give<T, const N: usize, L: Running>(call: L) -> (L, T)
where
    T: for<'l> Inject<'l, N>,
{
    let keys = Keys(call.held().clone());
    let given = T::inject(&keys);
    (call, given)
}

/// Runs the body of a sync function.
pub fn with_keys<R>(call: &mut impl Running, body: impl FnOnce() -> R) -> R {
    let _call = context::enter(call.held_mut());
    body()
}
