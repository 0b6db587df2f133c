//! The future of an async body and of what ends its call. One future for both, so that what the body
//! returned and what the end awaits take the room that the body has left.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Deadline, Running};
use crate::clock::Sleep;
use crate::context;
use crate::error::Error;

/// What a run came to.
#[derive(Debug)]
pub enum Step<O, T> {
    /// The result of the call.
    Done(O),
    /// What the next attempt begins with.
    Again(T),
}

pin_project_lite::pin_project! {
    /// A body that runs with its keys, and then the end of its call.
    pub struct Run<F, L, N, E>
    where
        F: Future,
    {
        #[pin]
        stage: Stage<F, E, F::Output>,
        // Until the body has returned.
        call: Option<(L, N)>,
    }
}

pin_project_lite::pin_project! {
    #[project = StageProjection]
    enum Stage<F, E, O> {
        Body {
            #[pin]
            body: F,
        },
        End {
            #[pin]
            end: E,
            output: Option<O>,
        },
    }
}

/// Runs `body` as a call that holds the keys of `call`; `end` ends it, and its future says whether there is
/// another attempt.
pub fn run<F, L, N, E, T>(call: L, body: F, end: N) -> Run<F, L, N, E>
where
    F: Future,
    L: Running,
    N: FnOnce(L, &F::Output) -> E,
    E: Future<Output = Option<T>>,
{
    Run { stage: Stage::Body { body }, call: Some((call, end)) }
}

impl<F, L, N, E, T> Future for Run<F, L, N, E>
where
    F: Future,
    L: Running,
    N: FnOnce(L, &F::Output) -> E,
    E: Future<Output = Option<T>>,
{
    type Output = Step<F::Output, T>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let StageProjection::Body { body } = this.stage.as_mut().project() {
            let Some((call, _)) = this.call else { over() };
            let polled = {
                let _call = context::enter(call.held_mut());
                body.poll(task)
            };
            let Poll::Ready(output) = polled else { return Poll::Pending };
            let Some((call, end)) = this.call.take() else { over() };
            let end = end(call, &output);
            this.stage.set(Stage::End { end, output: Some(output) });
        }
        let StageProjection::End { end, output } = this.stage.project() else { over() };
        let Poll::Ready(again) = end.poll(task) else { return Poll::Pending };
        if let Some(again) = again {
            return Poll::Ready(Step::Again(again));
        }
        let Some(output) = output.take() else { over() };
        Poll::Ready(Step::Done(output))
    }
}

/// One for all functions, of which each has a `poll` of its own.
#[cold]
fn over() -> ! {
    panic!("a future is not polled again after it was ready")
}

pin_project_lite::pin_project! {
    /// A run whose body is stopped at a deadline.
    pub struct InTime<F, L, N, E>
    where
        F: Future,
    {
        #[pin]
        run: Run<F, L, N, E>,
        limit: Limit,
    }
}

/// In one, because a future is to be small.
enum Limit {
    At(Deadline),
    /// Made when the body waits for the first time.
    Sleeping(Sleep),
}

/// Stops the body of `run` at `deadline`; the end of the call is not stopped.
pub fn in_time<F: Future, L, N, E>(deadline: Deadline, run: Run<F, L, N, E>) -> InTime<F, L, N, E> {
    InTime { run, limit: Limit::At(deadline) }
}

impl<F, L, N, E, T> Future for InTime<F, L, N, E>
where
    F: Future,
    L: Running,
    N: FnOnce(L, &F::Output) -> E,
    E: Future<Output = Option<T>>,
{
    type Output = Result<Step<F::Output, T>, Error>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(step) = this.run.as_mut().poll(task) {
            return Poll::Ready(Ok(step));
        }
        let Some((call, _)) = this.run.project().call.as_ref() else { return Poll::Pending };
        if let Limit::At(deadline) = this.limit {
            if *deadline == Deadline::NEVER {
                return Poll::Pending;
            }
            // A pool is there as long as a call runs.
            let Some(pool) = call.held().home().pool() else { return Poll::Pending };
            *this.limit = Limit::Sleeping(pool.sleep_until(deadline.tick()));
        }
        let Limit::Sleeping(sleep) = this.limit else { unreachable!("set above") };
        sleep.as_mut().poll(task).map(|()| Err(Error::DeadlineExceeded))
    }
}

impl<F: Future, L, N, E> fmt::Debug for Run<F, L, N, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}

impl<F: Future, L, N, E> fmt::Debug for InTime<F, L, N, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTime").finish_non_exhaustive()
    }
}
