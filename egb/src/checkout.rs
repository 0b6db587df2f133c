//! The ways to ask for a lease: how many keys, for which scope and session, and how long to wait for them.

use crate::sync::thread::{self, Thread};
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::balancer::{Balancer, refusal};
use crate::clock::{Sleep, Tick};
use crate::error::Error;
use crate::lease::{Lease, LeaseCore};
use crate::pool::{NO_SCOPE, Queued, ScopeId, Ticket, Wanted};
use crate::schedule::SlotId;

/// One checkout, as it is to be: made by [`Balancer::checkout`], ended by [`lease`](Checkout::lease) or
/// [`lease_async`](Checkout::lease_async).
///
/// ```
/// use std::time::Duration;
///
/// let balancer = egb::Balancer::builder().keys(["test-key-1", "test-key-2"]).in_memory().build()?;
/// let checkout = balancer.checkout().scope("gemini-2.5-pro").affinity("user 7").wait(Duration::from_secs(5));
/// let first = checkout.lease()?;
/// assert_eq!(checkout.lease()?.key(), first.key()); // the same session, the same key
/// # Ok::<(), egb::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "nothing is checked out before `.lease()`"]
pub struct Checkout {
    balancer: Balancer,
    count: usize,
    scope: ScopeId,
    session: Option<u64>,
    wait: Duration,
    /// When it gives up whatever the wait.
    deadline: Tick,
}

impl Checkout {
    pub(crate) fn new(balancer: Balancer) -> Self {
        Self { balancer, count: 1, scope: NO_SCOPE, session: None, wait: Duration::ZERO, deadline: Tick(u64::MAX) }
    }

    /// So many distinct keys; 1 if nothing is said.
    pub fn keys(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// For a model or an endpoint whose cooldowns count apart: a failure in this scope rests the key for
    /// this scope alone, unless it says that the key is revoked or its account empty. A key that rests for
    /// all calls rests here too. An empty name is no scope.
    ///
    /// Up to 256 scopes are kept apart; calls with further ones count as calls without a scope.
    pub fn scope(mut self, name: impl AsRef<str>) -> Self {
        self.scope = self.balancer.pool().scope(name.as_ref());
        self
    }

    /// For a session (a conversation, a user) that sticks to one key as long as that key is free: providers
    /// cache prompts by account. When it is not, the session moves to the key that is due, and stays there.
    /// Of several keys it is the first that sticks.
    ///
    /// Sessions are remembered by their hash, as many as [`cache_size`](crate::BalancerBuilder::cache_size) says. How
    /// often they got their key is in [`Stats::sessions`](crate::Stats::sessions).
    pub fn affinity(mut self, session: impl Hash) -> Self {
        self.session = Some(self.balancer.hash(&session));
        self
    }

    /// How long to wait for a key when none is free. Within a scope, callers that wait get their keys in the order in
    /// which they came, and before any caller who does not wait; those of other scopes are not ordered against them. When it
    /// is known that no key comes back within that time, the error comes at once.
    pub fn wait(mut self, at_most: Duration) -> Self {
        self.wait = at_most;
        self
    }

    /// Leases the keys. With a [`wait`](Self::wait) it may block the thread so long.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeyLeft`], [`Error::NoKeyFree`] (after the wait), [`Error::TooFewKeys`] when the pool is
    /// smaller than the number of keys.
    pub fn lease(&self) -> Result<Lease, Error> {
        self.clone().into_core().map(Lease::from)
    }

    /// As [`lease`](Self::lease), for async code of any executor. Dropping the future gives up the place in the queue.
    ///
    /// # Errors
    ///
    /// As for [`lease`](Self::lease).
    pub async fn lease_async(&self) -> Result<Lease, Error> {
        self.waiting().await.map(Lease::from)
    }

    pub(crate) fn into_core(self) -> Result<LeaseCore, Error> {
        if self.wait.is_zero() {
            self.check_deadline()?;
            let taken = self.balancer.take(&self.wanted())?;
            return Ok(LeaseCore::new(taken, self.scope));
        }
        block_on(self.waiting())
    }

    pub(crate) fn waiting(&self) -> Waiting {
        Waiting::new(self.clone(), Vec::new(), false)
    }

    pub(crate) fn balancer(&self) -> &Balancer {
        &self.balancer
    }

    /// In a scope that is known already.
    pub(crate) fn within_scope(mut self, scope: ScopeId) -> Self {
        self.scope = scope;
        self
    }

    /// Gives no key from then on.
    pub(crate) fn until(mut self, deadline: Tick) -> Self {
        self.deadline = deadline;
        self
    }

    /// Most calls have no deadline, and read no clock for it.
    fn check_deadline(&self) -> Result<(), Error> {
        let is_over = self.deadline != Tick(u64::MAX) && self.balancer.pool().now() >= self.deadline;
        if is_over { Err(Error::DeadlineExceeded) } else { Ok(()) }
    }

    /// Another attempt of a call that tried these keys.
    pub(crate) fn again(self, tried: Vec<SlotId>) -> Waiting {
        Waiting::new(self, tried, true)
    }

    /// At once, for another attempt of a call that has these keys.
    pub(crate) fn lease_beside(self, tried: &[SlotId]) -> Result<LeaseCore, Error> {
        let taken = self.balancer.take(&Wanted { excluded: tried, is_retry: true, ..self.wanted() })?;
        Ok(LeaseCore::new(taken, self.scope))
    }

    fn wanted(&self) -> Wanted<'_> {
        let &Self { count, scope, session, .. } = self;
        Wanted { count, scope, session, excluded: &[], is_retry: false }
    }
}

impl fmt::Debug for Checkout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkout").field("keys", &self.count).field("wait", &self.wait).finish_non_exhaustive()
    }
}

/// A caller that waits for its keys.
pub struct Waiting {
    checkout: Checkout,
    tried: Vec<SlotId>,
    is_retry: bool,
    /// When it gives up; counted from the first poll.
    limit: Option<Tick>,
    ticket: Option<Ticket>,
    sleep: Option<(Tick, Sleep)>,
}

impl Waiting {
    fn new(checkout: Checkout, tried: Vec<SlotId>, is_retry: bool) -> Self {
        Self { checkout, tried, is_retry, limit: None, ticket: None, sleep: None }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted { excluded: &self.tried, is_retry: self.is_retry, ..self.checkout.wanted() }
    }

    /// When to look again; `None` when that is no use.
    fn next_look(&self, queued: &Queued, limit: Tick) -> Option<Tick> {
        let now = self.checkout.balancer.pool().now();
        let Queued { shortage, due, .. } = *queued;
        if now >= limit || !shortage.may_end() || shortage.outlasts(limit.since(now)) {
            return None;
        }
        Some(due.map_or(limit, |due| due.min(limit)))
    }
}

impl Future for Waiting {
    type Output = Result<LeaseCore, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let balancer = this.checkout.balancer.clone();
        if this.checkout.wait.is_zero() {
            let taken = this.checkout.check_deadline().and_then(|()| balancer.take(&this.wanted()));
            return Poll::Ready(taken.map(|taken| LeaseCore::new(taken, this.checkout.scope)));
        }
        if let Err(error) = Balancer::check_count(this.checkout.count) {
            return Poll::Ready(Err(error));
        }
        let pool = balancer.pool();
        let limit = *this.limit.get_or_insert_with(|| pool.now().plus(this.checkout.wait).min(this.checkout.deadline));
        loop {
            if let Err(error) = this.checkout.check_deadline() {
                return Poll::Ready(Err(error));
            }
            let queued = match pool.checkout_in_line(&this.wanted(), this.ticket, context.waker()) {
                Ok(taken) => {
                    this.ticket = None;
                    balancer.note_checkout(&taken);
                    return Poll::Ready(Ok(LeaseCore::new(taken, this.checkout.scope)));
                }
                Err(queued) => queued,
            };
            this.ticket = Some(queued.ticket);
            let Some(look) = this.next_look(&queued, limit) else {
                return Poll::Ready(Err(refusal(queued.shortage)));
            };
            if this.sleep.as_ref().is_none_or(|(until, _)| *until != look) {
                this.sleep = Some((look, pool.sleep_until(look)));
            }
            let (_, sleep) = this.sleep.as_mut().expect("set above");
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            this.sleep = None;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.checkout.balancer.pool().leave_queue(self.checkout.scope, ticket);
        }
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("checkout", &self.checkout).finish_non_exhaustive()
    }
}

/// Runs a future of ours on this thread, which sleeps meanwhile; inside an async runtime as well.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker: Waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}
