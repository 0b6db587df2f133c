//! How keys get from their sources into a pool that is in use. Says nothing of when: that is for the operator, or
//! for the watch.

use std::path::Path;
use std::sync::Arc;

use crate::builder::Sources;
use crate::error::Error;
use crate::pool::{Pool, Reloaded};
use crate::store::Bell;
use crate::sync::Mutex;

/// The sources of a pool's keys, and the way from the ones to the other.
pub(crate) struct Intake {
    pool: Arc<Pool>,
    sources: Sources,
    /// Of the thread that writes, where there is a database.
    writer: Option<Bell>,
    /// Held from the reading to its end in the pool, so that no older reading follows a newer one. Free again before
    /// anybody is told: who is may reload.
    turn: Mutex<()>,
}

impl Intake {
    pub(crate) fn new(pool: Arc<Pool>, sources: Sources, writer: Option<Bell>) -> Self {
        Self { pool, sources, writer, turn: Mutex::new(()) }
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.sources.files()
    }

    /// Reads the sources, and brings the pool to what they say.
    pub(crate) fn reload(&self) -> Result<Reloaded, Error> {
        self.reload_while(|| true).map(Option::unwrap_or_default)
    }

    /// As [`reload`](Self::reload), if what was read still holds. `None` if it does not.
    pub(crate) fn reload_while(&self, holds: impl FnOnce() -> bool) -> Result<Option<Reloaded>, Error> {
        let turn = self.turn.lock();
        let configs = self.sources.read(self.writer.is_some());
        if !holds() {
            return Ok(None);
        }
        let (reloaded, untold) = self.pool.reload(configs?);
        drop(turn);
        if let Some(writer) = &self.writer {
            writer.ring();
        }
        untold.tell();
        Ok(Some(reloaded))
    }
}
