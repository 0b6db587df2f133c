//! Where running calls are counted beside the slots that they hold: those of a group, whose keys share a limit on them,
//! and those of scopes that have one. A call ends where it began, whatever became of its key meanwhile, so nothing is ever
//! taken from one gauge to another.

use std::sync::Arc;

use super::lanes::{NO_SCOPE, ScopeId};
use super::quota::{GroupId, Quotas};
use super::slot::SharedSlot;
use crate::sync::atomic::{AtomicU32, Ordering};

/// Running calls, and those of them in scopes that limit theirs.
#[derive(Debug)]
pub(super) struct Gauge {
    all: AtomicU32,
    scopes: Box<[(ScopeId, AtomicU32)]>,
}

impl Gauge {
    pub(super) fn new(quotas: &Quotas) -> Self {
        let limited = quotas.scopes.iter().filter(|(_, limits)| limits.concurrency.is_some());
        let scopes = limited.map(|(scope, _)| (*scope, AtomicU32::new(0))).collect();
        Self { all: AtomicU32::new(0), scopes }
    }

    fn within(&self, scope: ScopeId) -> Option<&AtomicU32> {
        self.scopes.iter().find(|(of, _)| *of == scope).map(|(_, running)| running)
    }

    fn counters(&self, scope: ScopeId) -> impl Iterator<Item = &AtomicU32> {
        std::iter::once(&self.all).chain(self.within(scope))
    }

    /// Calls of a scope that run, and for those of `NO_SCOPE` all.
    pub(super) fn running(&self, scope: ScopeId) -> u32 {
        let running = if scope == NO_SCOPE { Some(&self.all) } else { self.within(scope) };
        running.map_or(0, |running| running.load(Ordering::SeqCst))
    }
}

/// Where the calls that hold a slot are counted.
#[derive(Debug)]
pub(super) struct Gauges {
    /// Only they, if there are scopes with a limit.
    pub(super) own: Option<Gauge>,
    /// With those of all keys of the group.
    pub(super) group: Option<(GroupId, Arc<Gauge>)>,
}

impl Gauges {
    fn counters(&self, scope: ScopeId) -> impl Iterator<Item = &AtomicU32> {
        let group = self.group.as_ref().map(|(_, gauge)| &**gauge);
        self.own.iter().chain(group).flat_map(move |gauge| gauge.counters(scope))
    }

    pub(super) fn begin(&self, scope: ScopeId) {
        self.counters(scope).for_each(|running| {
            running.fetch_add(1, Ordering::SeqCst);
        });
    }

    pub(super) fn end(&self, scope: ScopeId) {
        self.counters(scope).for_each(|running| {
            running.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// Calls of a scope that hold some slots, and for those of `NO_SCOPE` all.
pub(super) fn running<'a>(slots: impl IntoIterator<Item = &'a SharedSlot>, scope: ScopeId) -> u32 {
    let slots = slots.into_iter();
    if scope == NO_SCOPE {
        return slots.map(|slot| slot.running()).sum();
    }
    let own = slots.filter_map(|slot| slot.gauges()?.own.as_ref());
    own.map(|gauge| gauge.running(scope)).sum()
}
