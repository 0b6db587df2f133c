//! What the handles of one balancer share, and what becomes of it when the last of them is dropped and calls still run.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use super::Balancer;
use crate::pool::{Estate, Held, Owner, Pool};
use crate::reload::Intake;
use crate::store::Writer;
use crate::watch::Watcher;

/// What the handles of a balancer share. Aligned, so that those who read it are not disturbed by those who count them.
#[repr(align(128))]
pub(super) struct Handles {
    pub(super) pool: Arc<Pool>,
    pub(super) inner: Arc<Inner>,
}

/// In the order in which it is dropped.
pub(super) struct Inner {
    /// Reloads keys files that change.
    _watcher: Option<Watcher>,
    pub(super) writer: Option<Writer>,
    pub(super) intake: Arc<Intake>,
    /// For sessions: their names stay out of the pool.
    hasher: RandomState,
}

/// Calls that run keep what they need to end as ever; the last of them writes what is pending. Without any, it is done here.
impl Drop for Handles {
    fn drop(&mut self) {
        let estate = (self.inner.clone(), self.pool.clone());
        drop(self.pool.close(Box::new(estate)));
    }
}

impl Balancer {
    pub(crate) fn new(pool: Arc<Pool>, intake: Arc<Intake>, writer: Option<Writer>, watcher: Option<Watcher>) -> Self {
        if let Some(writer) = &writer {
            pool.home().set_writer(writer.bell());
        }
        let inner = Arc::new(Inner { _watcher: watcher, writer, intake, hasher: RandomState::new() });
        let handles = Arc::new(Handles { pool, inner });
        let owner: Owner = handles.clone();
        handles.pool.home().set_owner(&owner);
        Self(handles)
    }

    /// The balancer of these keys, be it that only running calls are left of it.
    pub(crate) fn of(held: &Held) -> Option<Self> {
        let revive = |estate: Estate| {
            let (inner, pool) = *estate.downcast::<(Arc<Inner>, Arc<Pool>)>().ok()?;
            Some(Arc::new(Handles { pool, inner }) as Owner)
        };
        held.home().owner(revive)?.downcast().ok().map(Self)
    }

    #[cfg(test)]
    pub(crate) fn intake(&self) -> Arc<Intake> {
        self.0.inner.intake.clone()
    }

    /// A hash that differs from process to process.
    pub(crate) fn hash(&self, value: &impl Hash) -> u64 {
        self.0.inner.hasher.hash_one(value)
    }
}
