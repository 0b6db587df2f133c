//! `retries` and `backoff`: what becomes of a call after a failed attempt.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{BackoffValue, Deadline, LimitValue, Running};
use crate::balancer::Balancer;
use crate::checkout::{Waiting, block_on};
use crate::lease::LeaseCore;
use crate::outcome::Verdict;
use crate::schedule::SlotId;
use crate::store::Ack;

/// The attempts that are left to a call, and the keys that it tried. Small, for it is part of every
/// future that can retry.
#[derive(Debug)]
pub struct Attempts {
    left: u32,
    failed: u32,
    /// `None` until the first failure.
    tried: Option<Box<Tried>>,
    deadline: Deadline,
}

#[derive(Clone, Debug, Default)]
struct Tried(Vec<SlotId>);

impl Attempts {
    /// `retries` further attempts.
    pub fn new(retries: u32) -> Self {
        Self { left: retries, failed: 0, tried: None, deadline: Deadline::NEVER }
    }

    /// None begins after the deadline.
    #[must_use]
    pub fn until(self, deadline: Deadline) -> Self {
        Self { deadline, ..self }
    }

    /// Ends an attempt. `Some` is the lease for the next one, when the key or the server was at fault
    /// and a key that was not tried is free.
    pub fn next(&mut self, call: impl Running, verdict: &Verdict, pace: Pace) -> Option<LeaseCore> {
        let plan = self.plan(&call, verdict, pace);
        call.end(verdict).wait();
        plan.and_then(|plan| block_on(plan.lease()))
    }

    /// The async twin of [`next`](Self::next).
    pub fn next_async(&mut self, call: impl Running, verdict: &Verdict, pace: Pace) -> NextAttempt {
        let plan = self.plan(&call, verdict, pace);
        let ack = call.end(verdict).into_ack();
        let Some(plan) = plan else { return NextAttempt(ack.map_or(State::None, State::Saving)) };
        NextAttempt(State::Coming(Box::pin(async move {
            if let Some(ack) = ack {
                ack.await;
            }
            plan.lease().await
        })))
    }

    fn plan(&mut self, call: &impl Running, verdict: &Verdict, pace: Pace) -> Option<Plan> {
        let Verdict::Failure(failure) = verdict else { return None };
        if self.left == 0 || !failure.reason().is_retryable() {
            return None;
        }
        self.left -= 1;
        self.failed += 1;
        let (balancer, held) = (call.balancer(), call.held());
        let tried = self.tried.get_or_insert_default();
        tried.0.extend(held.slots().iter().map(|slot| slot.id));
        let pause = pace.backoff.map(|backoff| backoff.pause(self.failed, balancer));
        let resume = pause.map(|pause| balancer.pool().now().plus(pause));
        // A pause that leaves no time for the attempt is none that the caller should sit through.
        if resume.unwrap_or_else(|| balancer.pool().now()) >= self.deadline.tick() {
            return None;
        }
        let checkout = balancer.checkout().keys(held.keys().len()).within_scope(call.scope()).wait(pace.wait);
        let waiting = checkout.again(tried.0.clone(), self.deadline.tick());
        Some(Plan { balancer: balancer.clone(), resume, waiting })
    }
}

/// How the attempts of a call follow each other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    backoff: Option<Backoff>,
    wait: Duration,
}

impl Pace {
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
    resume: Option<crate::clock::Tick>,
    waiting: Waiting,
}

impl Plan {
    /// Without another key the caller gets the error of its own call, not one of egb's.
    async fn lease(self) -> Option<LeaseCore> {
        if let Some(resume) = self.resume {
            self.balancer.pool().sleep_until(resume).await;
        }
        self.waiting.await.ok()
    }
}

/// The lease for the next attempt, if there is to be one. Nothing is allocated unless there is.
#[must_use = "it is to be awaited"]
pub struct NextAttempt(State);

enum State {
    None,
    Saving(Ack),
    Coming(Pin<Box<dyn Future<Output = Option<LeaseCore>> + Send>>),
}

impl Future for NextAttempt {
    type Output = Option<LeaseCore>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::None => Poll::Ready(None),
            State::Saving(ack) => Pin::new(ack).poll(context).map(|()| None),
            State::Coming(lease) => lease.as_mut().poll(context),
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
