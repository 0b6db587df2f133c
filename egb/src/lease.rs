//! One checkout of one or several keys for one call. It ends with exactly one verdict, whichever way
//! the call ends.
#![expect(
    clippy::inline_always,
    reason = "most ends are a success, which takes a third of the steps of an end that may be any"
)]

use std::fmt;
use std::sync::{Arc, Weak};

use futures_core::Stream;

use crate::attached::Attached;
use crate::events;
use crate::key::Key;
use crate::outcome::{StatusCode, Verdict};
use crate::pool::{CheckedOut, Effect, Held, Home, Lone, ScopeId, Tried};
use crate::store::Ack;
use crate::sync::Mutex;

/// A key, or several distinct ones, for one call.
///
/// End it with [`success`](Lease::success), [`failure`](Lease::failure), [`report`](Lease::report) or
/// [`end`](Lease::end), or hand it to a stream with [`attach`](Lease::attach). Dropped without one of them
/// (an early return, a panic, a cancelled future) it is neutral: the key's place comes back and its
/// health stays, never a silent success. The lease of a `#[balanced]` function, dropped before the function
/// returns, is judged by what the function returns.
///
/// It may outlive all handles of its balancer: it ends as ever then, and the last of them writes what is pending.
///
/// ```
/// # let balancer = egb::Balancer::builder().key("test-key-1").in_memory().build()?;
/// let lease = balancer.lease()?;
/// let answer: Result<String, std::io::Error> = Ok(format!("asked with {:?}", lease.key()));
/// lease.report(&answer);
/// assert_eq!(balancer.stats().successes(), 1);
/// # Ok::<(), egb::Error>(())
/// ```
#[must_use = "a lease that is dropped gives its key back unused; end it with a verdict"]
pub struct Lease {
    /// `None` once it has ended.
    core: Option<LeaseCore>,
    /// The balanced function that gave it to its body, as long as that runs.
    desk: Weak<Desk>,
}

/// A lease as the code of `#[balanced]` keeps it: small, for it is part of every balanced future.
pub struct LeaseCore {
    /// `None` once it has ended, and while the body runs, when they are in its surroundings.
    held: Option<Held>,
    turn: Turn,
}

/// The number of a checkout and its scope, in one word.
#[derive(Clone, Copy)]
struct Turn(u64);

impl Turn {
    /// Enough for a million checkouts a second for eight years.
    const SERIAL_BITS: u32 = 48;

    fn new(serial: u64, scope: ScopeId) -> Self {
        Self(u64::from(scope) << Self::SERIAL_BITS | serial & ((1 << Self::SERIAL_BITS) - 1))
    }

    fn serial(self) -> u64 {
        self.0 & ((1 << Self::SERIAL_BITS) - 1)
    }

    fn scope(self) -> ScopeId {
        // There are few scopes: 16 bits hold them.
        ScopeId::try_from(self.0 >> Self::SERIAL_BITS).unwrap_or_default()
    }
}

/// Whether everything that a verdict brought about is done.
#[derive(Debug)]
#[must_use]
pub(crate) enum Settled {
    Done,
    /// A key was disabled and is being written to disk: wait for it before the call returns.
    Saving(Ack),
}

impl Settled {
    /// Tells the writer what a verdict brought about.
    #[inline]
    pub(crate) fn of(effect: Effect, home: &Home) -> Self {
        if effect == Effect::default() { Self::Done } else { Self::told(effect, home) }
    }

    #[cold]
    fn told(effect: Effect, home: &Home) -> Self {
        let settled = match home.writer() {
            Some(writer) if effect.disabled => Self::Saving(writer.save()),
            _ => {
                home.wake(effect.wake);
                Self::Done
            }
        };
        if effect.last {
            home.bury();
        }
        settled
    }

    /// Waits on this thread.
    pub(crate) fn wait(self) {
        if let Self::Saving(ack) = self {
            ack.wait();
        }
    }

    /// What async code awaits in place of it.
    pub(crate) fn into_ack(self) -> Option<Ack> {
        match self {
            Self::Done => None,
            Self::Saving(ack) => Some(ack),
        }
    }
}

impl LeaseCore {
    pub(crate) fn new(taken: CheckedOut<Held>, scope: ScopeId) -> Self {
        Self { held: Some(taken.keys), turn: Turn::new(taken.serial, scope) }
    }

    pub(crate) fn held(&self) -> &Held {
        self.held.as_ref().expect("a lease has its keys until it ends, and who asks is not its body")
    }

    pub(crate) fn held_mut(&mut self) -> &mut Option<Held> {
        &mut self.held
    }

    /// For another attempt of a call.
    pub(crate) fn after(mut self, tried: Tried) -> Self {
        self.held = self.held.take().map(|held| held.after(tried));
        self
    }

    /// As [`after`](Self::after), when another attempt ran at the same time.
    pub(crate) fn beside(self, mut tried: Tried) -> Self {
        let own = self.held().tried();
        tried.keys.extend(own.keys);
        // Both are one attempt, which is counted when it is over.
        tried.attempts = own.attempts - 1;
        self.after(tried)
    }

    #[inline(always)]
    pub(crate) fn settle(mut self, verdict: &Verdict) -> Settled {
        self.apply(verdict)
    }

    #[inline(always)]
    fn apply(&mut self, verdict: &Verdict) -> Settled {
        match self.held.take() {
            Some(held) => settle(&held, self.turn.serial(), self.turn.scope(), verdict),
            None => Settled::Done,
        }
    }

    #[cold]
    #[inline(never)]
    fn give_back(&mut self) {
        // Neutral disables nothing, so there is nothing to wait for.
        let _ = self.apply(&Verdict::Neutral);
    }

    pub(crate) fn scope(&self) -> ScopeId {
        self.turn.scope()
    }
}

/// Ends a checkout.
#[inline(always)]
fn settle(held: &Held, serial: u64, scope: ScopeId, verdict: &Verdict) -> Settled {
    if let Some(slot) = held.lone() {
        let home = slot.home();
        let effect = home.settle(slot, serial, scope, verdict, Lone::One);
        events::settled(&slot.key, verdict);
        return Settled::of(effect, home);
    }
    let (home, slots) = (held.home(), held.slots());
    let lone = if slots.len() == 1 { Lone::One } else { Lone::OneOfMany };
    let mut all = Effect::default();
    for slot in slots {
        let effect = home.settle(slot, serial, scope, verdict, lone);
        events::settled(&slot.key, verdict);
        all.wake |= effect.wake;
        all.disabled |= effect.disabled;
        all.last |= effect.last;
    }
    Settled::of(all, home)
}

impl Drop for LeaseCore {
    #[inline]
    fn drop(&mut self) {
        if self.held.is_some() {
            self.give_back();
        }
    }
}

impl fmt::Debug for LeaseCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.held.as_ref().map(Held::keys);
        f.debug_struct("Lease").field("keys", &keys.unwrap_or_default()).finish_non_exhaustive()
    }
}

/// Where the lease that a body was given comes back to if the body did not end it.
pub(crate) type Desk = Mutex<Option<LeaseCore>>;

impl From<LeaseCore> for Lease {
    fn from(core: LeaseCore) -> Self {
        Self { core: Some(core), desk: Weak::new() }
    }
}

impl Lease {
    /// A lease that goes back to `desk` when it is dropped without an end, as long as that is there.
    pub(crate) fn lent(core: LeaseCore, desk: &Arc<Desk>) -> Self {
        Self { core: Some(core), desk: Arc::downgrade(desk) }
    }

    fn core(&self) -> &LeaseCore {
        self.core.as_ref().expect("a lease has its keys until it ends, and what ends it takes it")
    }

    /// The key; of several, the first.
    pub fn key(&self) -> &Key {
        self.core().held().key()
    }

    /// All keys of the lease.
    pub fn keys(&self) -> &[Key] {
        self.core().held().keys()
    }

    /// Ends the lease: the key served the call.
    pub fn success(self) {
        self.settle(&Verdict::Success).wait();
    }

    /// Ends the lease: the call failed with `error`. When that disables the key, it returns once the
    /// disablement is on disk: see [`end`](Self::end).
    pub fn failure<E: StatusCode + ?Sized>(self, error: &E) {
        self.settle(&Verdict::error(error)).wait();
    }

    /// Says how many tokens the call spent, for limits of tokens a minute
    /// ([`Limits::tpm`](crate::Limits::tpm)), before the lease is ended; the last word counts. Of several keys each is
    /// charged its even part: say it with [`Balancer::spent`](crate::Balancer::spent) if you know better.
    ///
    /// ```
    /// # let balancer = egb::Balancer::builder().key("test-key-1").tpm(1000).in_memory().build()?;
    /// let lease = balancer.lease()?;
    /// // ... the answer's usage metadata says 800 ...
    /// lease.spent(800);
    /// lease.success();
    /// assert!(balancer.lease().is_err()); // another 800 would be too many within this minute
    /// # Ok::<(), egb::Error>(())
    /// ```
    pub fn spent(&self, tokens: u64) {
        let core = self.core();
        let slots = core.held().slots();
        let share = tokens.div_ceil(slots.len() as u64);
        let home = core.held().home();
        let Some(pool) = home.pool() else { return };
        home.wake(pool.spent(slots, core.turn.serial(), core.turn.scope(), share));
    }

    /// Ends the lease with what the call returned: `Ok` is a success, `Err` what its status says. An `Ok` whose status
    /// is a failure (an HTTP client's response) is a success as well, which `#[balanced]` knows better: end the lease with
    /// [`Verdict::ok`], or with its status.
    ///
    /// ```
    /// # let balancer = egb::Balancer::builder().key("test-key-1").in_memory().build()?;
    /// # struct Response { status: u16 }
    /// # let response = Response { status: 429 };
    /// let lease = balancer.lease()?;
    /// // ... a client that answers `Ok(response)` to a 429 ...
    /// lease.end(response.status);
    /// assert_eq!(balancer.stats().throttled(), 1);
    /// # Ok::<(), egb::Error>(())
    /// ```
    pub fn report<T, E: StatusCode>(self, result: &Result<T, E>) {
        match result {
            Ok(_) => self.success(),
            Err(error) => self.failure(error),
        }
    }

    /// Ends the lease with a verdict made by hand.
    ///
    /// A verdict that disables the key is on disk when this returns, as with [`failure`](Self::failure),
    /// [`report`](Self::report) and [`Balancer::report`](crate::Balancer::report). It blocks the thread meanwhile: some
    /// milliseconds as a rule, and up to five seconds when another process holds the database or the disk does not answer.
    /// Async code takes `#[balanced]` or [`with_keys_async`](crate::Balancer::with_keys_async), which await it, or ends the
    /// lease on a thread that may block: `tokio::task::spawn_blocking(move || lease.end(status))`.
    pub fn end(self, verdict: impl Into<Verdict>) {
        self.settle(&verdict.into()).wait();
    }

    /// Hands the lease to a stream of results, which is then the call: the key stays leased until the stream
    /// ends (a success), yields its first error (a failure, by its status) or is dropped before (neutral).
    /// What polls the stream sees the key as [`egb::key()`](crate::key()).
    ///
    /// ```
    /// use egb::{Lease, balanced};
    /// use futures::{Stream, stream};
    ///
    /// # async fn send(_: egb::Key) -> Result<impl Stream<Item = Result<String, egb::Error>>, egb::Error> {
    /// #     Ok(stream::iter([Ok("a".to_owned()), Ok("b".to_owned())]))
    /// # }
    /// #[balanced]
    /// async fn tokens(lease: Lease) -> Result<impl Stream<Item = Result<String, egb::Error>>, egb::Error> {
    ///     let answer = send(lease.key().clone()).await?; // an error here is judged as in any balanced function
    ///     Ok(lease.attach(answer))
    /// }
    /// #
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let balancer = egb::Balancer::builder().key("test-key-1").in_memory().build()?;
    /// # let _entered = balancer.enter();
    /// # use futures::StreamExt;
    /// let answer: Vec<_> = tokens().await?.collect().await;
    /// assert_eq!((answer.len(), balancer.stats().successes()), (2, 1));
    /// # Ok::<(), egb::Error>(()) }).unwrap();
    /// ```
    pub fn attach<S, T, E>(self, stream: S) -> Attached<S>
    where
        S: Stream<Item = Result<T, E>>,
        E: StatusCode,
    {
        Attached::new(self, stream)
    }

    #[inline(always)]
    pub(crate) fn settle(mut self, verdict: &Verdict) -> Settled {
        self.core.take().map_or(Settled::Done, |core| core.settle(verdict))
    }

    pub(crate) fn held(&self) -> Held {
        self.core().held().clone()
    }

    /// To the desk that it is from.
    #[cold]
    #[inline(never)]
    fn go_back(&mut self) {
        if let (Some(desk), Some(core)) = (self.desk.upgrade(), self.core.take()) {
            *desk.lock() = Some(core);
        }
    }
}

impl Drop for Lease {
    #[inline]
    fn drop(&mut self) {
        if self.core.is_some() {
            self.go_back();
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.core(), f)
    }
}
