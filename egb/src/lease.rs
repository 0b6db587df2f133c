//! One checkout of one or several keys for one call. It ends with exactly one verdict, whichever way
//! the call ends.

use std::fmt;
use std::slice;
use std::sync::Arc;

use crate::balancer::Balancer;
use crate::key::Key;
use crate::outcome::{StatusCode, Verdict};
use crate::pool::{Checkout, Lone, Slot};
use crate::schedule::SlotId;
use crate::store::Ack;

/// A key, or several distinct ones, for one call.
///
/// End it with [`success`](Lease::success), [`failure`](Lease::failure), [`report`](Lease::report) or
/// [`end`](Lease::end). Dropped without one of them (an early return, a panic, a cancelled future) it is
/// neutral: the key's place comes back and its health stays, never a silent success.
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
    balancer: Balancer,
    held: Held,
    serial: u64,
    ended: bool,
}

/// The keys of a lease. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Held {
    One(Arc<Slot>),
    Many(Arc<Many>),
}

pub(crate) struct Many {
    keys: Vec<Key>,
    slots: Vec<Arc<Slot>>,
}

impl Held {
    pub(crate) fn keys(&self) -> &[Key] {
        match self {
            Self::One(slot) => slice::from_ref(&slot.key),
            Self::Many(many) => &many.keys,
        }
    }

    fn slots(&self) -> &[Arc<Slot>] {
        match self {
            Self::One(slot) => slice::from_ref(slot),
            Self::Many(many) => &many.slots,
        }
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

impl Lease {
    pub(crate) fn one(balancer: Balancer, checkout: Checkout<Arc<Slot>>) -> Self {
        Self { balancer, held: Held::One(checkout.slots), serial: checkout.serial, ended: false }
    }

    pub(crate) fn many(balancer: Balancer, checkout: Checkout<Vec<Arc<Slot>>>) -> Self {
        let slots = checkout.slots;
        let keys = slots.iter().map(|slot| slot.key.clone()).collect();
        let held = Held::Many(Arc::new(Many { keys, slots }));
        Self { balancer, held, serial: checkout.serial, ended: false }
    }

    /// The key; of several, the first.
    ///
    /// # Panics
    ///
    /// Never for a lease of at least one key, and no other can be made.
    pub fn key(&self) -> &Key {
        &self.keys()[0]
    }

    /// All keys of the lease.
    pub fn keys(&self) -> &[Key] {
        self.held.keys()
    }

    /// Ends the lease: the key served the call.
    pub fn success(self) {
        self.settle(&Verdict::Success).wait();
    }

    /// Ends the lease: the call failed with `error`. When that disables the key, it returns once the
    /// disablement is on disk.
    pub fn failure<E: StatusCode + ?Sized>(self, error: &E) {
        self.settle(&Verdict::error(error)).wait();
    }

    /// Ends the lease with what the call returned: `Ok` is a success, `Err` what its status says.
    pub fn report<T, E: StatusCode>(self, result: &Result<T, E>) {
        match result {
            Ok(_) => self.success(),
            Err(error) => self.failure(error),
        }
    }

    /// Ends the lease with a verdict made by hand.
    pub fn end(self, verdict: impl Into<Verdict>) {
        self.settle(&verdict.into()).wait();
    }

    pub(crate) fn settle(mut self, verdict: &Verdict) -> Settled {
        self.apply(verdict)
    }

    fn apply(&mut self, verdict: &Verdict) -> Settled {
        self.ended = true;
        let slots = self.held.slots();
        let lone = if slots.len() == 1 { Lone::One } else { Lone::OneOfMany };
        self.balancer.settle(slots, self.serial, verdict, lone)
    }

    pub(crate) fn balancer(&self) -> &Balancer {
        &self.balancer
    }

    pub(crate) fn held(&self) -> Held {
        self.held.clone()
    }

    /// What a retry excludes, so that it gets other keys.
    pub(crate) fn tickets(&self) -> impl Iterator<Item = SlotId> {
        self.held.slots().iter().map(|slot| slot.id)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.ended {
            // Neutral disables nothing, so there is nothing to wait for.
            let _ = self.apply(&Verdict::Neutral);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("keys", &self.keys()).finish_non_exhaustive()
    }
}
