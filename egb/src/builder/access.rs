//! How the `egb` command opens a pool: to look at it, or to edit it, with the keys that only the database knows. What
//! it shows and changes is for `cli`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{Loaded, Sources};
use crate::balancer::Balancer;
use crate::clock::Timeline;
use crate::config::KeyConfig;
use crate::error::Error;
use crate::key::{ByFingerprint, Fingerprints, Key};
use crate::pool::{Pool, Settings};
use crate::store::{Record, Seal, Sqlite, StoreError, Writer};
use crate::watch::FirstLook;

/// So long after a key was removed a program may use it still.
const NOTICED_WITHIN: Duration = Duration::from_secs(2);

/// Who opens a database, and what for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Access {
    /// A program that calls with the keys.
    #[default]
    Use,
    /// The command, to look: nothing is written.
    Look,
    /// The command, to change keys and to follow what others change. What is used of limits it does not write.
    Edit,
}

impl super::BalancerBuilder {
    pub(crate) fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }
}

pub(super) fn open(access: Access, path: &Path, seal: Option<&Seal>) -> Result<Sqlite, Arc<StoreError>> {
    let opened = match access {
        Access::Look => Sqlite::look(path, seal)?,
        Access::Use | Access::Edit => Sqlite::open_as_it_is(path, &[], seal)?,
    };
    Ok(opened.with_sealed_keys_unread())
}

/// Makes the balancer. It may have no key.
pub(super) fn build(
    access: Access,
    sources: Sources,
    mut configs: Vec<KeyConfig>,
    loaded: Loaded,
    settings: Settings,
    timeline: Timeline,
    watched: Option<FirstLook>,
) -> Result<Balancer, Error> {
    // Who gives keys has all that are in use; others that the database knows are gone.
    if sources.list.is_empty() {
        let strangers = Strangers::of(&loaded.store, &loaded.added)?;
        let by_key = loaded.records.chunk_by(|a, b| a.fingerprint == b.fingerprint);
        configs.extend(by_key.filter_map(|known| strangers.config(known)));
    }
    let Loaded { store, records, usage, added } = loaded;
    let settings = Settings { usage, added, is_bystander: true, ..settings };
    let edits = access == Access::Edit;
    let pool = Pool::new(configs, records, settings, timeline, edits);
    let writer = if edits { Some(Writer::spawn(store, pool.clone()).map_err(Arc::new)?) } else { None };
    super::finish(pool, sources, writer, watched)
}

/// Keys of which only the database knows, but those that were removed.
pub(super) struct Strangers {
    removed: ByFingerprint<SystemTime>,
    added: Fingerprints,
}

impl Strangers {
    pub(super) fn of(store: &Sqlite, added: &[KeyConfig]) -> Result<Self, Arc<StoreError>> {
        let added = added.iter().map(|config| config.key.fingerprint()).collect();
        Ok(Self { removed: store.removed_keys()?, added })
    }

    /// One of which this is all that is known.
    pub(super) fn config(&self, known: &[Record]) -> Option<KeyConfig> {
        let Record { fingerprint, state, .. } = known.iter().find(|record| record.scope.is_none())?;
        // One that is used still is given by something else.
        let is_removed = self.removed.get(fingerprint).is_some_and(|&at| state.last_used <= Some(at + NOTICED_WITHIN));
        let is_one = !is_removed && !self.added.contains(fingerprint);
        is_one.then(|| KeyConfig::new(Key::without_text(*fingerprint)).weight(state.health.weight))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KeyConfig;
    use crate::stats::KeyState;

    /// A database with an added key and one that a program gave, which was leased once and is throttled.
    fn ground() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("keys.db");
        let balancer = Balancer::builder().key(KeyConfig::new("test-key-given").weight(2.5)).db(&db).build().unwrap();
        balancer.lease().unwrap().success();
        balancer.add("test-key-added").unwrap();
        (folder, db)
    }

    fn open(db: &Path, access: Access) -> Balancer {
        Balancer::builder().db(db).access(access).build().unwrap()
    }

    #[test]
    fn keys_that_only_the_database_knows_are_shown_and_never_leased() {
        let (_folder, db) = ground();
        for access in [Access::Look, Access::Edit] {
            let balancer = open(&db, access);
            let stats = balancer.stats();
            let stranger = stats.keys.iter().find(|key| key.masked == "…" && key.calls == 1).unwrap();
            assert_eq!((stats.total(), stranger.state, stranger.health.weight()), (2, KeyState::Available, 2.5));
            for _ in 0..10 {
                assert_eq!(balancer.key().unwrap().expose_secret(), "test-key-added");
            }
        }
    }

    #[test]
    fn a_look_writes_nothing_and_an_edit_all_but_the_use_of_limits() {
        let (_folder, db) = ground();
        let limits = |db: &Path| {
            rusqlite::Connection::open(db)
                .unwrap()
                .query_row("SELECT count(*) FROM usage", [], |row| row.get::<_, i64>(0))
                .unwrap()
        };
        for access in [Access::Look, Access::Edit] {
            let balancer = Balancer::builder().key("test-key-given").rpm(100).db(&db).access(access).build().unwrap();
            balancer.disable(&"test-key-given".into()).unwrap();
            balancer.lease().unwrap().success();
            balancer.flush().unwrap();
            drop(balancer);
            let is_disabled = open(&db, Access::Look).stats().disabled() == 1;
            assert_eq!(is_disabled, access == Access::Edit);
            assert_eq!(limits(&db), 0);
        }
    }

    #[test]
    fn a_pool_without_a_key_can_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("keys.db");
        drop(Sqlite::open_for(&db, &[], None).unwrap());
        assert_eq!(open(&db, Access::Look).stats().total(), 0);
        assert_eq!(open(&db, Access::Edit).stats().total(), 0);
        assert!(Balancer::builder().db(&db).build().is_err(), "a program needs one");
    }
}
