//! `retries` and `backoff`: what becomes of a call after a failed attempt.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{BackoffValue, Deadline, LimitValue, Running};
use crate::balancer::Balancer;
use crate::checkout::{Checkout, Waiting, block_on};
use crate::clock::{Sleep, Tick};
use crate::lease::LeaseCore;
use crate::outcome::{Failure, Reason, Verdict};
use crate::pool::Tried;
use crate::store::Ack;

/// Ends an attempt. `Some` is the lease for the next one, when the key or the server was at fault and a key
/// that was not tried is free.
pub fn next(call: impl Running, verdict: &Verdict, pace: Pace) -> Option<LeaseCore> {
    let plan = Plan::new(&call, verdict, pace);
    let verdict = on_reflection(&call, verdict);
    call.end(&verdict).wait();
    block_on(plan?.lease())
}

/// The async twin of [`next`].
pub fn next_async(call: impl Running, verdict: &Verdict, pace: Pace) -> NextAttempt {
    let plan = Plan::new(&call, verdict, pace);
    let verdict = on_reflection(&call, verdict);
    let ack = call.end(&verdict).into_ack();
    if plan.is_none() && ack.is_none() {
        return NextAttempt(None);
    }
    let lease: LeaseToCome = Box::pin(async move {
        if let Some(ack) = ack {
            ack.await;
        }
        plan?.lease().await
    });
    NextAttempt(Some(Box::new(lease)))
}

/// What an attempt says of its key when those before are remembered: a server that fails two keys of one call
/// in the same way fails the request.
pub(super) fn on_reflection(call: &impl Running, verdict: &Verdict) -> Verdict {
    match verdict {
        Verdict::Failure(failure)
            if let Some(status) = server_error(failure)
                && call.held().has_met(status) =>
        {
            Verdict::Failure(failure.clone().with_reason(Reason::Request))
        }
        _ => verdict.clone(),
    }
}

pub(super) fn server_error(failure: &Failure) -> Option<u16> {
    failure.status_code().filter(|_| failure.reason() == Reason::Server)
}

/// Ends a call without retries, and waits until a disablement is on disk.
pub fn end(call: impl Running, verdict: &Verdict) {
    call.end(verdict).wait();
}

/// The async twin of [`end`]. There is never another attempt.
pub fn end_async(call: impl Running, verdict: &Verdict) -> LastAttempt {
    LastAttempt(call.end(verdict).into_ack().map(Box::new))
}

/// The end of a call without retries. One word: what is rare is allocated when it happens.
#[derive(Debug)]
#[must_use = "it is to be awaited"]
pub struct LastAttempt(Option<Box<Ack>>);

impl Future for LastAttempt {
    type Output = Option<Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            None => Poll::Ready(None),
            Some(ack) => Pin::new(ack).poll(context).map(|()| None),
        }
    }
}

/// How the attempts of a call follow each other.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    retries: u32,
    backoff: Option<Backoff>,
    wait: Duration,
    deadline: Deadline,
    hedge: Option<Duration>,
}

impl Pace {
    /// `retries` further attempts, one after the other.
    pub fn new(retries: u32) -> Self {
        Self { retries, backoff: None, wait: Duration::ZERO, deadline: Deadline::NEVER, hedge: None }
    }

    /// None begins after the deadline.
    #[must_use]
    pub fn until(self, deadline: Deadline) -> Self {
        Self { deadline, ..self }
    }

    /// `backoff = ..`
    #[must_use]
    pub fn backoff(self, backoff: impl BackoffValue) -> Self {
        Self { backoff: Some(backoff.backoff()), ..self }
    }

    /// `wait = ..`
    #[must_use]
    pub fn wait(self, at_most: impl LimitValue) -> Self {
        Self { wait: at_most.limit().unwrap_or_default(), ..self }
    }
}

impl Pace {
    /// `hedge = ..`
    #[must_use]
    pub fn hedge(self, after: impl LimitValue) -> Self {
        Self { hedge: after.limit(), ..self }
    }

    /// A sleep until the deadline, if there is one.
    pub(super) fn sleep(self, call: &LeaseCore) -> Option<Sleep> {
        let pool = call.held().home().pool().filter(|_| self.deadline != Deadline::NEVER);
        pool.map(|pool| pool.sleep_until(self.deadline.tick()))
    }

    /// What can be started beside an attempt; `None` if there is nothing to start it with.
    pub(super) fn second(self, call: &LeaseCore) -> Option<Second> {
        let mut tried = call.held().tried();
        // It is a part of the same attempt.
        tried.attempts -= 1;
        let balancer = Balancer::of(call.held())?;
        let after = self.hedge.map_or(Tick(u64::MAX), |after| balancer.pool().now().plus(after));
        let checkout = balancer.checkout().keys(call.held().keys().len()).within_scope(call.scope());
        Some(Second { balancer, checkout, tried, after })
    }
}

/// A second attempt that has not begun.
pub(super) struct Second {
    balancer: Balancer,
    checkout: Checkout,
    tried: Tried,
    after: Tick,
}

impl Second {
    /// Is over when it is time for it.
    pub(super) fn patience(&self) -> Sleep {
        self.balancer.pool().sleep_until(self.after)
    }

    /// Nobody waits for a key only to be faster: `None` when none is free.
    pub(super) fn lease(self) -> Option<LeaseCore> {
        let lease = self.checkout.lease_beside(&self.tried.keys).ok()?;
        Some(lease.after(self.tried))
    }
}

/// Pauses that double from `first` to `longest`, each a random part of that: "full jitter" (M. Brooker,
/// "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

impl Backoff {
    /// The longest pause after this many failures.
    fn bound(self, failed: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failed.saturating_sub(1)).and_then(|times| self.first.checked_mul(times));
        doubled.map_or(self.longest, |pause| pause.min(self.longest))
    }

    fn pause(self, failed: u32, balancer: &Balancer) -> Duration {
        self.bound(failed).mul_f64(balancer.pool().random_fraction())
    }
}

/// The next attempt, before it begins.
struct Plan {
    balancer: Balancer,
    tried: Tried,
    resume: Option<Tick>,
    waiting: Waiting,
}

impl Plan {
    fn new(call: &impl Running, verdict: &Verdict, pace: Pace) -> Option<Self> {
        let Verdict::Failure(failure) = verdict else { return None };
        let held = call.held();
        if pace.retries == 0 || !failure.reason().is_retryable() {
            return None;
        }
        let mut tried = held.tried();
        tried.server_errors.extend(server_error(failure));
        if tried.attempts > pace.retries {
            return None;
        }
        let balancer = Balancer::of(held)?;
        let now = balancer.pool().now();
        let pause = pace.backoff.map(|backoff| backoff.pause(tried.attempts, &balancer));
        let resume = pause.map(|pause| now.plus(pause));
        // A pause that leaves no time for the attempt is none that the caller should sit through.
        if resume.unwrap_or(now) >= pace.deadline.tick() {
            return None;
        }
        let checkout = balancer.checkout().keys(held.keys().len()).within_scope(call.scope());
        let waiting = checkout.wait(pace.wait).until(pace.deadline.tick()).again(tried.keys.clone());
        Some(Self { balancer, tried, resume, waiting })
    }

    /// Without another key the caller gets the error of its own call, not one of egb's.
    async fn lease(self) -> Option<LeaseCore> {
        if let Some(resume) = self.resume {
            self.balancer.pool().sleep_until(resume).await;
        }
        let lease = self.waiting.await.ok()?;
        Some(lease.after(self.tried))
    }
}

/// The lease for the next attempt, if there is to be one. One word, and nothing is allocated unless there is.
#[must_use = "it is to be awaited"]
pub struct NextAttempt(Option<Box<LeaseToCome>>);

type LeaseToCome = Pin<Box<dyn Future<Output = Option<LeaseCore>> + Send>>;

impl Future for NextAttempt {
    type Output = Option<LeaseCore>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            None => Poll::Ready(None),
            Some(next) => next.as_mut().as_mut().poll(context),
        }
    }
}

impl fmt::Debug for NextAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextAttempt").finish_non_exhaustive()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(2));
        let backoff = Backoff { first, longest };
        let bounds: Vec<u128> = [1, 2, 3, 5, 6, 40, u32::MAX].map(|failed| backoff.bound(failed).as_millis()).into();
        assert_eq!(bounds, [100, 200, 400, 1600, 2000, 2000, 2000]);
    }

    #[test]
    fn pauses_are_spread_over_all_of_the_bound() {
        let balancer = Balancer::builder().key("test-key").build().unwrap();
        let bound = Duration::from_secs(1);
        let backoff = Backoff { first: bound, longest: bound };
        let pauses: Vec<Duration> = (0..1000).map(|_| backoff.pause(1, &balancer)).collect();
        assert!(pauses.iter().all(|pause| *pause < bound));
        let mean = pauses.iter().sum::<Duration>() / 1000;
        assert!((Duration::from_millis(450)..Duration::from_millis(550)).contains(&mean), "{mean:?}");
    }
}
