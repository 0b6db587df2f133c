//! How a pool begins: with its settings, its first keys, and what a store knows of them.

use crate::sync::atomic::AtomicBool;
use std::sync::Arc;

use crate::sync::{Brief, RwLock};

use super::added::Added;
use super::index::Index;
use super::lanes::{Lane, NO_SCOPE};
use super::parts::Parts;
use super::quota::{Groups, Quotas};
use super::sessions::Sessions;
use super::slot::Ties;
use super::state::State;
use super::{Home, Pool};
use crate::clock::{Tick, Timeline};
use crate::config::KeyConfig;
use crate::events::Bus;
use crate::key::{ByFingerprint, Fingerprints};
use crate::limits::Limits;
use crate::policy::Policy;
use crate::store::{Record, Usage};

/// What is set for all keys of a pool.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) policy: Policy,
    /// Decides which keys come first.
    pub(crate) seed: u64,
    /// Limits of each key or group for the calls of one scope.
    pub(crate) scope_limits: Vec<(String, Limits)>,
    /// Whether limits that are not given are learned.
    pub(crate) learn: bool,
    /// What was used of limits before.
    pub(crate) usage: Vec<Usage>,
    /// Keys that were added by hand, as the store has them.
    pub(crate) added: Vec<KeyConfig>,
    /// For keys that were added and set no limit of their own.
    pub(crate) defaults: Limits,
    /// Sessions that are remembered; `None` goes by the number of keys.
    pub(crate) cache_size: Option<usize>,
    /// Whether what is used of limits is for others to write.
    pub(crate) is_bystander: bool,
}

impl Pool {
    /// A pool of `configs` (distinct keys), with the state that `records` hold of them.
    pub(crate) fn new(
        configs: Vec<KeyConfig>,
        records: Vec<Record>,
        settings: Settings,
        timeline: Timeline,
        journaled: bool,
    ) -> Arc<Self> {
        let Settings { policy, seed, scope_limits, learn, usage, added, defaults, cache_size, is_bystander } = settings;
        let mut records = records;
        records.sort_unstable_by_key(|record| record.fingerprint);
        let mut unclaimed: ByFingerprint<Vec<Usage>> = ByFingerprint::default();
        for usage in usage {
            unclaimed.entry(usage.holder).or_default().push(usage);
        }
        let state = State {
            lanes: vec![Lane::new("".into(), seed)],
            entries: Vec::with_capacity(configs.len()),
            vacant: Vec::new(),
            index: Index::default(),
            quotas: Quotas { scopes: Vec::new(), learn },
            groups: Groups::default(),
            sessions: Sessions::new(cache_size),
            serial: 0,
            latest: Tick::ZERO,
            parted: Tick::ZERO,
            disabled: 0,
            dirty: Vec::with_capacity(if journaled { configs.len() } else { 0 }),
            farewells: Vec::new(),
            remains: ByFingerprint::default(),
            added: Added::new(added, defaults),
            strangers: ByFingerprint::default(),
            unclaimed,
            events: Vec::new(),
            woken: Vec::new(),
            legacy: None,
        };
        let pool = Arc::new_cyclic(|pool| {
            let home = Arc::new(Home::new(pool.clone(), journaled));
            Self {
                policy,
                timeline,
                alone: Arc::new(Ties::alone(Arc::clone(&home))),
                home,
                is_bystander,
                seed,
                scopes: RwLock::default(),
                has_too_many_scopes: AtomicBool::new(false),
                bus: Bus::default(),
                parts: Parts::default(),
                state: Brief::new(state),
            }
        });
        pool.locked(|state| {
            for (name, limits) in scope_limits {
                let scope = pool.add_scope(state, &name).unwrap_or(NO_SCOPE);
                state.quotas.scopes.push((scope, limits));
            }
            let configs = state.added.beside(configs);
            // The index would look each name up where its key is, all over the memory.
            let known = if records.is_empty() { &[] } else { &configs[..] };
            let names: Fingerprints = known.iter().map(|config| config.key.fingerprint()).collect();
            pool.add(state, configs, 0.., &records);
            for record in records.into_iter().filter(|record| !names.contains(&record.fingerprint)) {
                state.strangers.entry(record.fingerprint).or_default().push(record);
            }
        });
        pool
    }
}
