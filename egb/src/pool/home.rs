//! What the end of a call has to know of the balancer that the call's keys are from. Every slot knows its home, so that
//! a running call holds on to its keys and to nothing that all calls would have to count.

use std::any::Any;
use std::sync::{Arc, OnceLock, Weak};

use super::Pool;
use super::lanes::ScopeId;
use super::settle::{Effect, Lone};
use super::slot::{Afterwards, Ended, Quiet, SharedSlot};
use crate::outcome::Verdict;
use crate::store::Bell;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// Keeps nothing alive: a pool lives as long as a handle of its balancer does, or a call that began before the last of
/// them was dropped.
pub(crate) struct Home {
    pool: Weak<Pool>,
    /// Whether changes are kept for a store. Without one nobody would ever collect them.
    pub(super) journaled: bool,
    /// Whether a success has to be told to a lane in which calls fail.
    pub(super) is_failing: AtomicBool,
    /// Of the thread that writes, where there is a database.
    writer: OnceLock<Bell>,
    /// The last one that is known of: it is gone when the last handle was dropped.
    owner: Mutex<Option<Weak<dyn Any + Send + Sync>>>,
}

/// What the balancer's handles share. It is above the pool, and so of no type here.
pub(crate) type Owner = Arc<dyn Any + Send + Sync>;

/// What the last handle leaves to running calls, for the same reason.
pub(crate) type Estate = Box<dyn Any + Send>;

impl Home {
    pub(super) fn new(pool: Weak<Pool>, journaled: bool) -> Self {
        let is_failing = AtomicBool::new(false);
        Self { pool, journaled, is_failing, writer: OnceLock::new(), owner: Mutex::new(None) }
    }

    /// Where changes are to be announced. Said once, before the first checkout.
    pub(crate) fn set_writer(&self, writer: Bell) {
        let _ = self.writer.set(writer);
    }

    pub(crate) fn set_owner(&self, owner: &Owner) {
        *self.owner.lock() = Some(Arc::downgrade(owner));
    }

    /// What the balancer's handles share. If the last of them was dropped, `revive` makes it of what that left to the calls
    /// that run.
    pub(crate) fn owner(&self, revive: impl FnOnce(Estate) -> Option<Owner>) -> Option<Owner> {
        let mut known = self.owner.lock();
        if let Some(owner) = known.as_ref().and_then(Weak::upgrade) {
            return Some(owner);
        }
        let owner = revive(self.pool()?.reopen()?)?;
        *known = Some(Arc::downgrade(&owner));
        Some(owner)
    }

    pub(crate) fn pool(&self) -> Option<Arc<Pool>> {
        self.pool.upgrade()
    }

    /// Of the thread that writes, where there is a database.
    pub(crate) fn writer(&self) -> Option<&Bell> {
        self.writer.get()
    }

    /// Wakes the thread that writes.
    #[inline]
    pub(crate) fn wake(&self, wake: bool) {
        if wake && let Some(writer) = self.writer() {
            writer.ring();
        }
    }

    /// Ends a checkout. `lone` says whether it held this key alone.
    #[expect(clippy::inline_always, reason = "less to do than in a function of its own, at every use")]
    #[inline(always)]
    pub(crate) fn settle(
        &self,
        slot: &SharedSlot,
        serial: u64,
        scope: ScopeId,
        verdict: &Verdict,
        lone: Lone,
    ) -> Effect {
        let quiet = match verdict {
            Verdict::Success if !self.is_failing.load(Ordering::SeqCst) => Some(Quiet::Success),
            Verdict::Neutral => Some(Quiet::Neutral),
            Verdict::Success | Verdict::Failure(_) => None,
        };
        match slot.end(scope, quiet) {
            Ended::Quietly(Afterwards::MarkDirty) if self.journaled => self.mark_dirty(slot),
            Ended::Quietly(Afterwards::Collect) => self.collect(slot),
            Ended::Quietly(_) => Effect::default(),
            Ended::Loudly => self.settle_loudly(slot, serial, scope, verdict, lone),
        }
    }

    #[cold]
    fn mark_dirty(&self, slot: &SharedSlot) -> Effect {
        let wake = self.pool().is_some_and(|pool| pool.mark_dirty(slot));
        Effect { wake, ..Effect::default() }
    }

    #[cold]
    fn collect(&self, slot: &SharedSlot) -> Effect {
        let wake = self.pool().is_some_and(|pool| pool.collect(slot));
        Effect { wake, ..Effect::default() }
    }

    #[inline(never)]
    fn settle_loudly(&self, slot: &SharedSlot, serial: u64, scope: ScopeId, verdict: &Verdict, lone: Lone) -> Effect {
        // A pool is there as long as a call runs: the last of its handles left it to the calls.
        let pool = self.pool();
        pool.map(|pool| pool.settle_loudly(slot, serial, scope, verdict, lone)).unwrap_or_default()
    }

    /// Gives up what was left to the calls that ran when the last handle was dropped: the last of them has ended.
    #[cold]
    pub(crate) fn bury(&self) {
        let legacy = self.pool().and_then(|pool| pool.locked(|state| state.legacy.take()));
        // Writes what is pending: not under the lock.
        drop(legacy);
    }
}

/// What the last handle of a balancer left to the calls that ran.
pub(super) struct Legacy {
    /// Calls that run, each counted for each of its keys.
    running: u64,
    /// What they need: the pool, which so keeps itself, and the thread that writes.
    estate: Estate,
}

impl Legacy {
    /// One of the calls has ended; whether it was the last.
    pub(super) fn end_one(&mut self) -> bool {
        self.running = self.running.saturating_sub(1);
        self.running == 0
    }
}

impl Pool {
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// The last handle is dropped. Gives `estate` back if no call runs; else the calls keep it until the last of them
    /// has ended.
    pub(crate) fn close(&self, estate: Estate) -> Option<Estate> {
        let (estate, wake) = self.locked(|state| {
            let mut running = 0;
            let mut uncollected = Vec::new();
            for entry in state.entries.iter().flatten() {
                let slot = &entry.slot;
                // No call ends quietly from here on: those that run come to the lock. One that just did may not have
                // told the writer yet.
                slot.depart();
                running += u64::from(entry.running());
                if self.home.journaled && slot.successes() > 0 {
                    uncollected.push(slot.id);
                }
            }
            let is_news = |id| state.mark_dirty(id);
            let wake = uncollected.into_iter().map(is_news).fold(false, |some, news| some | news);
            let departed = state.remains.values().flat_map(|remains| &remains.slots);
            running += departed.map(|slot| u64::from(slot.running())).sum::<u64>();
            if running == 0 {
                return (Some(estate), wake);
            }
            state.legacy = Some(Legacy { running, estate });
            (None, wake)
        });
        self.home.wake(wake);
        estate
    }

    /// Takes back what was left to running calls: there is a handle again.
    fn reopen(&self) -> Option<Estate> {
        self.locked(|state| {
            let legacy = state.legacy.take()?;
            state.slots().for_each(|slot| slot.rejoin());
            Some(legacy.estate)
        })
    }
}
