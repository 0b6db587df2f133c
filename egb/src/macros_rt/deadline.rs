//! `deadline = ..`: the time that a call has in all.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Running;
use crate::balancer::Balancer;
use crate::clock::{Sleep, Tick};
use crate::context::{self, InCall};
use crate::error::Error;

/// When a call ends.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Tick);

impl Deadline {
    /// There is none.
    pub const NEVER: Self = Self(Tick(u64::MAX));

    pub(super) fn after(within: Duration, balancer: &Balancer) -> Self {
        Self(balancer.pool().now().plus(within))
    }

    pub(super) fn tick(self) -> Tick {
        self.0
    }
}

pin_project_lite::pin_project! {
    /// A body with a deadline.
    pub struct InTime<'l, F, L> {
        #[pin]
        body: InCall<F>,
        call: &'l L,
        deadline: Deadline,
        // Made when the body waits for the first time.
        sleep: Option<Sleep>,
    }
}

/// Runs the body of an async function, and stops it at the deadline.
pub fn in_time<F: Future, L: Running>(call: &L, deadline: Deadline, body: F) -> InTime<'_, F, L> {
    InTime { body: context::in_call(call.held(), body), call, deadline, sleep: None }
}

impl<F: Future, L: Running> Future for InTime<'_, F, L> {
    type Output = Result<F::Output, Error>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.body.poll(task) {
            return Poll::Ready(Ok(output));
        }
        if this.deadline.0 == Deadline::NEVER.0 {
            return Poll::Pending;
        }
        let sleep = this.sleep.get_or_insert_with(|| this.call.balancer().pool().sleep_until(this.deadline.0));
        sleep.as_mut().poll(task).map(|()| Err(Error::DeadlineExceeded))
    }
}

impl<F, L> fmt::Debug for InTime<'_, F, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTime").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
