//! What a pool would show of itself, without that pool: most keys have nothing to do with each other, so small pools of a
//! portion each show them and are gone. For the command, which looks at all keys and calls with none.

use std::mem;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use super::access::{self, Access, Strangers};
use super::{BalancerBuilder, Sources};
use crate::clock::Timeline;
use crate::config::KeyConfig;
use crate::error::Error;
use crate::key::{ByFingerprint, Fingerprints};
use crate::limits::Limits;
use crate::pool::{Pool, Settings, session_capacity};
use crate::stats::{KeyStats, SessionStats};
use crate::store::{Record, Sqlite, Store as _, Usage};

/// So many keys, and what is made of them, stay in the processor's cache.
const PORTION: usize = 512;

/// Where a row belongs among the others; some places are empty.
pub(crate) type Place = u64;

/// Keys that only the database knows come first, and those of its second half after those of the first.
const HALF: Place = 1 << 32;
const GIVEN: Place = 1 << 48;

/// What is made of the rows of a picture.
pub(crate) trait Gather: Send {
    /// Takes a row. Most of them come in their order.
    fn take(&mut self, place: Place, row: KeyStats);

    fn join(&mut self, other: Self);
}

/// What was gathered, and which sessions the pool would remember.
pub(crate) struct Picture<G> {
    pub(crate) rows: G,
    pub(crate) sessions: SessionStats,
}

impl BalancerBuilder {
    /// Gathers the rows that the balancer would show.
    pub(crate) fn picture<G: Gather>(mut self, new: impl Fn() -> G + Sync) -> Result<Picture<G>, Error> {
        let (settings, timeline) = self.prepare()?;
        let path = self.db.as_deref().ok_or(Error::NoKeys)?;
        let mut store = access::open(Access::Look, path, self.seal.as_ref())?;
        let added = store.added_keys().map_err(Arc::new)?.unwrap_or_default();
        let pools = Pools::new(settings, timeline, store.usage().map_err(Arc::new)?);
        let (mut given, mut parts) = read(&self.sources, &mut store, &added, &pools, &new)?;
        given.extend(alone(added, &given, pools.settings.defaults));
        let held: Vec<Vec<Record>> = parts.iter_mut().map(|part| mem::take(&mut part.held)).collect();
        parts.extend(pools.show(&given, &held, &new));
        let all = parts.into_iter().reduce(Part::join).unwrap_or_else(|| Part::new(&pools, new()));
        let capacity = session_capacity(pools.settings.cache_size, all.keys);
        // The process ends soon, and to free 100,000 keys takes a while.
        mem::forget((given, held));
        Ok(Picture { rows: all.with_tied(), sessions: SessionStats { capacity, ..SessionStats::default() } })
    }
}

/// The keys that sources give, and of the database what belongs to keys that it alone knows, or is held for others.
fn read<'a, G: Gather>(
    sources: &Sources,
    store: &mut Sqlite,
    added: &[KeyConfig],
    pools: &'a Pools,
    new: &(impl Fn() -> G + Sync),
) -> Result<(Vec<KeyConfig>, Vec<Part<'a, G>>), Error> {
    // Who gives keys has all that are in use; others that the database knows are gone.
    let strangers = if sources.list.is_empty() { Some(Strangers::of(store, added)?) } else { None };
    let mut load = || {
        store.read(|half, records| {
            Part::new(pools, new()).read(Place::from(half) * HALF, records, strangers.as_ref())
        })
    };
    if sources.list.is_empty() {
        return Ok((Vec::new(), load().map_err(Arc::new)?));
    }
    thread::scope(|threads| {
        let given = threads.spawn(|| sources.read(true));
        let parts = load();
        let given = given.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok((given, parts.map_err(Arc::new)?))
    })
}

/// The keys that were added and that no source gives.
fn alone(added: Vec<KeyConfig>, given: &[KeyConfig], defaults: Limits) -> Vec<KeyConfig> {
    let given: Fingerprints = given.iter().map(|config| config.key.fingerprint()).collect();
    let alone = added.into_iter().filter(|config| !given.contains(&config.key.fingerprint()));
    let with_defaults = alone.map(|config| {
        let limits = config.limits.or(defaults);
        config.with_limits(limits)
    });
    with_defaults.collect()
}

/// What small pools are made with.
struct Pools {
    settings: Settings,
    timeline: Timeline,
    usage: ByFingerprint<Vec<Usage>>,
}

impl Pools {
    fn new(settings: Settings, timeline: Timeline, used: Vec<Usage>) -> Self {
        let mut usage: ByFingerprint<Vec<Usage>> = ByFingerprint::default();
        for used in used {
            usage.entry(used.holder).or_default().push(used);
        }
        Self { settings, timeline, usage }
    }

    /// Shows keys of which records are held. Two threads share many.
    fn show<G: Gather>(
        &self,
        given: &[KeyConfig],
        held: &[Vec<Record>],
        new: &(impl Fn() -> G + Sync),
    ) -> Vec<Part<'_, G>> {
        let part = |first: usize, configs: &[KeyConfig]| {
            let mut part = Part::new(self, new());
            for (place, config) in (GIVEN + first as Place..).zip(configs) {
                part.add(place, config.clone(), &mut known(config, held).to_vec());
            }
            part.finish()
        };
        let (first, second) = given.split_at(given.len() / 2);
        if given.len() <= PORTION {
            return vec![part(0, given)];
        }
        thread::scope(|threads| {
            let second = threads.spawn(|| part(first.len(), second));
            vec![part(0, first), second.join().unwrap_or_else(|panic| resume_unwind(panic))]
        })
    }

    /// Whether what is shown of a key depends on others: on those of its group, or on those by which the pool came to know its
    /// scopes, whose order is that of the scopes.
    fn ties(&self, config: &KeyConfig, known: &[Record]) -> bool {
        let is_used_in_scope = |used: &Vec<Usage>| used.iter().any(|used| used.scope.is_some());
        config.group_name().is_some()
            || known.iter().any(|record| record.scope.is_some())
            || self.usage.get(&config.key.fingerprint()).is_some_and(is_used_in_scope)
    }

    fn rows(&self, portion: Portion, usage: Vec<Usage>) -> impl Iterator<Item = (Place, KeyStats)> {
        let Portion { places, configs, records } = portion;
        let settings = Settings { usage, ..self.settings.clone() };
        let stats = Pool::new(configs, records, settings, self.timeline.clone(), false).stats();
        places.into_iter().zip(stats.keys)
    }
}

/// What is held of a key, in parts that are sorted by name.
fn known<'r>(config: &KeyConfig, held: &'r [Vec<Record>]) -> &'r [Record] {
    let name = config.key.fingerprint();
    let Some(part) = held.iter().find(|part| part.last().is_some_and(|last| last.fingerprint >= name)) else {
        return &[];
    };
    let from = &part[part.partition_point(|record| record.fingerprint < name)..];
    &from[..from.iter().take_while(|record| record.fingerprint == name).count()]
}

/// Keys for one pool.
#[derive(Default)]
struct Portion {
    places: Vec<Place>,
    configs: Vec<KeyConfig>,
    records: Vec<Record>,
}

impl Portion {
    fn append(&mut self, mut other: Self) {
        self.places.append(&mut other.places);
        self.configs.append(&mut other.configs);
        self.records.append(&mut other.records);
    }
}

/// What one thread sees.
struct Part<'a, G> {
    pools: &'a Pools,
    keys: usize,
    /// Keys that are to be shown next.
    next: Portion,
    /// Keys for one pool with those of other parts.
    tied: Portion,
    /// Records of keys that are not known yet.
    held: Vec<Record>,
    gathered: G,
}

impl<'a, G: Gather> Part<'a, G> {
    fn new(pools: &'a Pools, gathered: G) -> Self {
        Self { pools, keys: 0, next: Portion::default(), tied: Portion::default(), held: Vec::new(), gathered }
    }

    /// Takes what the database knows, all of one key in a row.
    fn read(mut self, first: Place, records: &mut dyn Iterator<Item = Record>, strangers: Option<&Strangers>) -> Self {
        let mut place = first;
        let mut records = records.peekable();
        let mut known = Vec::new();
        while let Some(record) = records.next() {
            let is_last = records.peek().is_none_or(|next| next.fingerprint != record.fingerprint);
            known.push(record);
            if !is_last {
                continue;
            }
            match strangers.and_then(|strangers| strangers.config(&known)) {
                Some(config) => {
                    self.add(place, config, &mut known);
                    place += 1;
                }
                None => self.held.append(&mut known),
            }
        }
        self.finish()
    }

    fn add(&mut self, place: Place, config: KeyConfig, known: &mut Vec<Record>) {
        self.keys += 1;
        let portion = if self.pools.ties(&config, known) { &mut self.tied } else { &mut self.next };
        portion.places.push(place);
        portion.configs.push(config);
        portion.records.append(known);
        if self.next.places.len() == PORTION {
            self.show();
        }
    }

    fn show(&mut self) {
        let portion = mem::take(&mut self.next);
        let names = portion.configs.iter().map(|config| config.key.fingerprint());
        let usage = names.filter_map(|name| self.pools.usage.get(&name)).flatten().cloned().collect();
        self.pools.rows(portion, usage).for_each(|(place, row)| self.gathered.take(place, row));
    }

    fn finish(mut self) -> Self {
        self.show();
        self
    }

    fn join(mut self, later: Self) -> Self {
        self.keys += later.keys;
        self.tied.append(later.tied);
        self.gathered.join(later.gathered);
        self
    }

    fn with_tied(self) -> G {
        let Self { pools, tied, mut gathered, .. } = self;
        let usage = if tied.places.is_empty() { Vec::new() } else { pools.usage.values().flatten().cloned().collect() };
        pools.rows(tied, usage).for_each(|(place, row)| gathered.take(place, row));
        gathered
    }
}
