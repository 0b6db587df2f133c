//! A stream that holds the lease of its call until it ends.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::context::{self, InCall};
use crate::lease::Lease;
use crate::outcome::{StatusCode, Verdict};
use crate::store::Ack;

pin_project_lite::pin_project! {
    /// A stream and the lease of its call, from [`Lease::attach`].
    #[must_use = "streams do nothing unless polled; dropped before its end it is neutral for its key"]
    pub struct Attached<S: Stream> {
        #[pin]
        stream: InCall<S>,
        // `None` once the stream has been judged.
        lease: Option<Lease>,
        // A disablement on its way to disk, and what is to be yielded when it is there.
        saving: Option<(Ack, Option<S::Item>)>,
    }
}

impl<S: Stream> Attached<S> {
    pub(crate) fn new(lease: Lease, stream: S) -> Self {
        Self { stream: context::in_call(lease.held(), stream), lease: Some(lease), saving: None }
    }
}

impl<S, T, E> Stream for Attached<S>
where
    S: Stream<Item = Result<T, E>>,
    E: StatusCode,
{
    type Item = Result<T, E>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        if this.saving.is_none() {
            let next = ready!(this.stream.as_mut().poll_next(task));
            let verdict = match &next {
                Some(Ok(_)) => return Poll::Ready(next),
                Some(Err(error)) => Verdict::error(error),
                None => Verdict::Success,
            };
            let ack = this.lease.take().and_then(|lease| lease.settle(&verdict).into_ack());
            let Some(ack) = ack else { return Poll::Ready(next) };
            *this.saving = Some((ack, next));
        }
        if let Some((ack, _)) = this.saving {
            ready!(Pin::new(ack).poll(task));
        }
        Poll::Ready(this.saving.take().and_then(|(_, next)| next))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.inner().size_hint()
    }
}

impl<S: Stream> fmt::Debug for Attached<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("lease", &self.lease).finish_non_exhaustive()
    }
}
