//! The keys of one balancer with their health, and which of them may be used: checkout and settle,
//! each one short critical section. Knows nothing of SQL, HTTP or the registry.

use crate::sync::atomic::{AtomicBool, Ordering};
use std::collections::HashMap;
use std::sync::Arc;

use crate::sync::{Brief, MutexGuard, RwLock};

pub(crate) use self::held::{Held, Tried};
pub(crate) use self::home::{Estate, Home, Owner};
use self::lanes::AfterLock;
pub(crate) use self::lanes::{NO_SCOPE, ScopeId, Ticket};
use self::parts::Parts;
use self::slot::Ties;
use self::state::State;
use crate::clock::{Sleep, Tick, Timeline};
use crate::events::{Bus, Events, News};
use crate::others;
use crate::policy::Policy;

mod added;
mod admin;
#[cfg(feature = "cli")]
mod alone;
mod checkout;
mod condition;
mod counts;
mod entry;
mod gauge;
mod held;
mod history;
mod home;
mod index;
mod journal;
mod lanes;
mod last_use;
mod lessons;
mod members;
mod parts;
mod quota;
mod row;
mod sessions;
mod settle;
mod slot;
mod start;
mod state;
#[cfg(test)]
mod tests;
mod traits;
mod weather;

pub(crate) use added::Origin;
#[cfg(feature = "cli")]
pub(crate) use alone::Alone;
pub(crate) use checkout::{CheckedOut, Queued, Shortage, Wanted};
pub use members::Reloaded;
#[cfg(feature = "cli")]
pub(crate) use sessions::capacity as session_capacity;
pub(crate) use settle::{Effect, Lone};
pub(crate) use start::Settings;

/// All keys that one balancer knows.
pub(crate) struct Pool {
    policy: Policy,
    timeline: Timeline,
    home: Arc<Home>,
    /// Of keys that share nothing with others.
    alone: Arc<Ties>,
    /// Whether what is used of limits is not kept for the store.
    is_bystander: bool,
    seed: u64,
    /// The lanes of `state` by name, beside it so that no string is hashed under its lock. Who needs both
    /// locks takes that of `state` first.
    scopes: RwLock<HashMap<Arc<str>, ScopeId>>,
    has_too_many_scopes: AtomicBool,
    bus: Bus,
    parts: Parts,
    state: Brief<State>,
}

/// So many scopes have a lane; a scope is a model or an endpoint, not a user.
pub(crate) const MAX_SCOPES: usize = 256;

impl Pool {
    pub(crate) fn now(&self) -> Tick {
        self.timeline.now()
    }

    /// A future that is ready at `tick`.
    pub(crate) fn sleep_until(&self, tick: Tick) -> Sleep {
        self.timeline.sleep_until(tick)
    }

    /// A number in [0, 1), for jitter.
    pub(crate) fn random_fraction(&self) -> f64 {
        self.locked(|state| state.lane_mut(NO_SCOPE).schedule.random_fraction())
    }

    /// Works on the state, and tells and wakes whom that concerns once the lock is free again.
    #[inline]
    fn locked<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        self.work(self.state.lock(), |state| {
            if self.parts.are_out() {
                self.recall_parts(state);
            }
            work(state)
        })
    }

    /// As [`locked`](Self::locked), with the keys missing that threads have to themselves.
    #[inline]
    fn work<R>(&self, mut state: MutexGuard<'_, State>, work: impl FnOnce(&mut State) -> R) -> R {
        let result = work(&mut state);
        if state.woken.is_empty() && state.events.is_empty() {
            return result;
        }
        self.tell(state);
        result
    }

    /// As [`locked`](Self::locked), for who holds another lock, under which nobody is to be told.
    fn locked_untold<R>(&self, work: impl FnOnce(&mut State) -> R) -> (R, Untold<'_>) {
        let mut state = self.state.lock();
        if self.parts.are_out() {
            self.recall_parts(&mut state);
        }
        (work(&mut state), self.untold(state))
    }

    #[cold]
    fn tell(&self, state: MutexGuard<'_, State>) {
        self.untold(state).tell();
    }

    /// Frees the lock; whom its work concerns is yet to be told.
    fn untold(&self, mut state: MutexGuard<'_, State>) -> Untold<'_> {
        let (woken, news) = (std::mem::take(&mut state.woken), std::mem::take(&mut state.events));
        let has_news = !news.is_empty();
        if has_news {
            #[cfg(feature = "metrics")]
            self.bus.post([News::Gauges(state.gauges())]);
            self.bus.post(news);
        }
        Untold { bus: &self.bus, woken, has_news }
    }

    pub(crate) fn subscribe(&self) -> Events {
        self.bus.subscribe()
    }

    /// The lane of a scope, made at its first use.
    pub(crate) fn scope(&self, name: &str) -> ScopeId {
        if name.is_empty() {
            return NO_SCOPE;
        }
        if let Some(&scope) = self.scopes.read().get(name) {
            return scope;
        }
        self.locked(|state| self.add_scope(state, name)).unwrap_or(NO_SCOPE)
    }

    /// As [`scope`](Self::scope), under the lock. `None` when there are too many.
    fn add_scope(&self, state: &mut State, name: &str) -> Option<ScopeId> {
        if let Some(&scope) = self.scopes.read().get(name) {
            return Some(scope);
        }
        if state.lanes.len() > MAX_SCOPES {
            if !self.has_too_many_scopes.swap(true, Ordering::Relaxed) {
                state.events.push(News::TooManyScopes(MAX_SCOPES));
            }
            return None;
        }
        let name: Arc<str> = name.into();
        let seed = self.seed.wrapping_add(state.lanes.len() as u64);
        let scope = state.add_lane(Arc::clone(&name), seed, self.now(), &self.timeline);
        self.scopes.write().insert(name, scope);
        Some(scope)
    }
}

/// What work under the lock leaves to be told. Told by code of others: under no lock at all.
#[must_use = "somebody waits to be woken"]
pub(crate) struct Untold<'a> {
    bus: &'a Bus,
    woken: Vec<AfterLock>,
    has_news: bool,
}

impl Untold<'_> {
    pub(crate) fn tell(self) {
        // Those who wait come first.
        let woken = self.woken.into_iter().map(Some).chain(self.has_news.then_some(None));
        others::call_each(woken, |waker| match waker {
            Some(waker) => waker.run(),
            None => self.bus.tell(),
        });
    }
}
