//! `hedge = ..`: a second attempt on another key while the first is slow (J. Dean, L. Barroso, "The Tail at
//! Scale", Communications of the ACM 56, 2013: hedged requests).

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use super::attempts::{Pace, Second, next_async, on_reflection, server_error};
use crate::clock::Sleep;
use crate::context;
use crate::error::Error;
use crate::lease::LeaseCore;
use crate::outcome::Verdict;

pin_project_lite::pin_project! {
    /// A body that runs with its keys. Dropped before its end it is neutral.
    pub struct Attempt<F> {
        call: Option<LeaseCore>,
        #[pin]
        body: F,
    }
}

/// Runs `body` as an attempt of a call.
pub fn attempt<F: Future>(call: LeaseCore, body: F) -> Attempt<F> {
    Attempt { call: Some(call), body }
}

impl<F: Future> Future for Attempt<F> {
    type Output = (LeaseCore, F::Output);

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        const RUNNING: &str = "a future is not polled again after it was ready";
        let this = self.project();
        let call = this.call.as_mut().expect(RUNNING);
        let polled = {
            let _call = context::enter(call.held_mut());
            this.body.poll(task)
        };
        let output = ready!(polled);
        Poll::Ready((this.call.take().expect(RUNNING), output))
    }
}

impl<F> fmt::Debug for Attempt<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").finish_non_exhaustive()
    }
}

/// What came of an attempt.
type Ended<O> = (LeaseCore, O, Verdict);

/// Makes attempts until one succeeds or there are no more: each of them, if it is slow, with a second one beside it. The
/// first success counts, and what runs then is dropped.
///
/// # Errors
///
/// When the deadline has passed.
pub async fn hedged<O, A, F>(mut lease: LeaseCore, pace: Pace, attempt: F) -> Result<O, Error>
where
    F: Fn(LeaseCore) -> A,
    A: Future<Output = Ended<O>>,
{
    let mut deadline = pace.sleep(&lease);
    loop {
        let (call, output, verdict) = one_or_two(lease, pace, &attempt, &mut deadline).await?;
        match next_async(call, &verdict, pace).await {
            Some(next) => lease = next,
            None => return Ok(output),
        }
    }
}

async fn one_or_two<O, A, F>(
    lease: LeaseCore,
    pace: Pace,
    attempt: &F,
    deadline: &mut Option<Sleep>,
) -> Result<Ended<O>, Error>
where
    F: Fn(LeaseCore) -> A,
    A: Future<Output = Ended<O>>,
{
    let second = pace.second(&lease);
    let mut patience = second.as_ref().map(Second::patience);
    let mut first = pin!(attempt(lease));
    let is_slow = poll_fn(|task| match first.as_mut().poll(task) {
        Poll::Ready(ended) => Poll::Ready(Ok(Some(ended))),
        Poll::Pending if is_over(deadline, task) => Poll::Ready(Err(Error::DeadlineExceeded)),
        Poll::Pending => match &mut patience {
            Some(patience) => patience.as_mut().poll(task).map(|()| Ok(None)),
            None => Poll::Pending,
        },
    });
    if let Some(ended) = is_slow.await? {
        return Ok(ended);
    }
    let Some(lease) = second.and_then(Second::lease) else {
        return until(first, deadline).await;
    };
    let mut second = pin!(attempt(lease));
    let either = poll_fn(|task| {
        // In this order: of two that are ready, the one that was first.
        if let Poll::Ready(ended) = first.as_mut().poll(task) {
            return Poll::Ready(Ok((ended, true)));
        }
        match second.as_mut().poll(task) {
            Poll::Ready(ended) => Poll::Ready(Ok((ended, false))),
            Poll::Pending if is_over(deadline, task) => Poll::Ready(Err(Error::DeadlineExceeded)),
            Poll::Pending => Poll::Pending,
        }
    });
    let ((call, output, verdict), was_first) = either.await?;
    let Verdict::Failure(failure) = &verdict else {
        return Ok((call, output, verdict));
    };
    // The other one may do better.
    let mut tried = call.held().tried();
    tried.server_errors.extend(server_error(failure));
    let reflected = on_reflection(&call, &verdict);
    if let Some(ack) = call.settle(&reflected).into_ack() {
        ack.await;
    }
    let (call, output, verdict) =
        if was_first { until(second, deadline).await? } else { until(first, deadline).await? };
    // So that a retry takes neither key.
    Ok((call.beside(tried), output, verdict))
}

async fn until<O>(mut last: Pin<&mut impl Future<Output = O>>, deadline: &mut Option<Sleep>) -> Result<O, Error> {
    poll_fn(|task| match last.as_mut().poll(task) {
        Poll::Ready(ended) => Poll::Ready(Ok(ended)),
        Poll::Pending if is_over(deadline, task) => Poll::Ready(Err(Error::DeadlineExceeded)),
        Poll::Pending => Poll::Pending,
    })
    .await
}

fn is_over(deadline: &mut Option<Sleep>, task: &mut Context<'_>) -> bool {
    deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(task).is_ready())
}
