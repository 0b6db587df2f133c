//! What a pool would show of itself, without that pool: most keys have nothing to do with each other, so only the others need
//! one. For the command, which looks at all keys and calls with none.

use std::mem;
use std::ops::Range;
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
use crate::pool::{Alone, Pool, Settings, session_capacity};
use crate::stats::{KeyStats, SessionStats};
use crate::store::{Record, Sqlite, Store as _, Usage};

/// So many keys are worth a second thread.
const MANY: usize = 1_024;

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
        let (defaults, cache_size) = (settings.defaults, settings.cache_size);
        let ground = Ground::new(settings, timeline, store.usage().map_err(Arc::new)?);
        let part = || Part::new(&ground, new());
        let (mut given, mut parts) = read(&self.sources, &mut store, &added, &part)?;
        given.extend(alone(added, &given, defaults));
        let held: Vec<Held> = parts.iter_mut().map(|part| mem::take(&mut part.held)).collect();
        parts.extend(show(&given, &held, &part));
        let all = parts.into_iter().reduce(Part::join).unwrap_or_else(part);
        let capacity = session_capacity(cache_size, all.keys);
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
    part: &(impl Fn() -> Part<'a, G> + Sync),
) -> Result<(Vec<KeyConfig>, Vec<Part<'a, G>>), Error> {
    // Who gives keys has all that are in use; others that the database knows are gone.
    let strangers = if sources.list.is_empty() { Some(Strangers::of(store, added)?) } else { None };
    let mut load = || store.read(|half, records| part().read(Place::from(half) * HALF, records, strangers.as_ref()));
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
    if added.is_empty() {
        return added;
    }
    let given: Fingerprints = given.iter().map(|config| config.key.fingerprint()).collect();
    let mut alone = added;
    alone.retain(|config| !given.contains(&config.key.fingerprint()));
    KeyConfig::fill_all(&mut alone, defaults);
    alone
}

/// Shows keys of which records are held. Two threads share many.
fn show<'a, G: Gather>(
    given: &[KeyConfig],
    held: &[Held],
    part: &(impl Fn() -> Part<'a, G> + Sync),
) -> Vec<Part<'a, G>> {
    let show = |first: usize, configs: &[KeyConfig]| {
        let mut part = part();
        for (place, config) in (GIVEN + first as Place..).zip(configs) {
            let known = held.iter().find_map(|held| held.of(config)).unwrap_or_default();
            part.add(place, config, known);
        }
        part
    };
    if given.len() < MANY {
        return vec![show(0, given)];
    }
    let (first, second) = given.split_at(given.len() / 2);
    thread::scope(|threads| {
        let second = threads.spawn(|| show(first.len(), second));
        vec![show(0, first), second.join().unwrap_or_else(|panic| resume_unwind(panic))]
    })
}

/// What all keys have in common.
struct Ground {
    settings: Settings,
    timeline: Timeline,
    usage: ByFingerprint<Vec<Usage>>,
}

impl Ground {
    fn new(settings: Settings, timeline: Timeline, used: Vec<Usage>) -> Self {
        let mut usage: ByFingerprint<Vec<Usage>> = ByFingerprint::default();
        for used in used {
            usage.entry(used.holder).or_default().push(used);
        }
        Self { settings, timeline, usage }
    }
}

/// Records of keys that are not known yet.
#[derive(Default)]
struct Held {
    records: Vec<Record>,
    places: ByFingerprint<Range<usize>>,
}

impl Held {
    /// Takes all that is known of a key.
    fn add(&mut self, known: &mut Vec<Record>) {
        let Some(first) = known.first() else { return };
        let place = self.records.len()..self.records.len() + known.len();
        self.places.insert(first.fingerprint, place);
        self.records.append(known);
    }

    fn of(&self, config: &KeyConfig) -> Option<&[Record]> {
        self.places.get(&config.key.fingerprint()).map(|place| &self.records[place.clone()])
    }
}

/// Keys that it takes a pool to show.
#[derive(Default)]
struct Tied {
    places: Vec<Place>,
    configs: Vec<KeyConfig>,
    records: Vec<Record>,
}

impl Tied {
    fn append(&mut self, mut later: Self) {
        self.places.append(&mut later.places);
        self.configs.append(&mut later.configs);
        self.records.append(&mut later.records);
    }

    fn rows(self, ground: &Ground) -> impl Iterator<Item = (Place, KeyStats)> {
        let Ground { settings, timeline, usage } = ground;
        let settings = Settings { usage: usage.values().flatten().cloned().collect(), ..settings.clone() };
        let pool = Pool::new(self.configs, self.records, settings, timeline.clone(), false);
        let stats = pool.stats();
        // See above.
        mem::forget(pool);
        self.places.into_iter().zip(stats.keys)
    }
}

/// What one thread sees.
struct Part<'a, G> {
    ground: &'a Ground,
    alone: Alone,
    keys: usize,
    tied: Tied,
    held: Held,
    gathered: G,
}

impl<'a, G: Gather> Part<'a, G> {
    fn new(ground: &'a Ground, gathered: G) -> Self {
        let alone = Alone::new(ground.settings.clone(), ground.timeline.clone());
        Self { ground, alone, keys: 0, tied: Tied::default(), held: Held::default(), gathered }
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
                    self.add(place, &config, &known);
                    place += 1;
                    known.clear();
                }
                None => self.held.add(&mut known),
            }
        }
        self
    }

    fn add(&mut self, place: Place, config: &KeyConfig, known: &[Record]) {
        self.keys += 1;
        let used = self.ground.usage.get(&config.key.fingerprint()).map_or(&[][..], Vec::as_slice);
        if let Some(row) = self.alone.row(config, known, used) {
            self.gathered.take(place, row);
        } else {
            self.tied.places.push(place);
            self.tied.configs.push(config.clone());
            self.tied.records.extend_from_slice(known);
        }
    }

    fn join(mut self, later: Self) -> Self {
        self.keys += later.keys;
        self.tied.append(later.tied);
        self.gathered.join(later.gathered);
        self
    }

    fn with_tied(mut self) -> G {
        if !self.tied.places.is_empty() {
            self.tied.rows(self.ground).for_each(|(place, row)| self.gathered.take(place, row));
        }
        self.gathered
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::balancer::Balancer;
    use crate::clock::ManualClock;
    use crate::outcome::HttpError;

    struct Rows(Vec<(Place, KeyStats)>);

    impl Gather for Rows {
        fn take(&mut self, place: Place, row: KeyStats) {
            self.0.push((place, row));
        }

        fn join(&mut self, mut other: Self) {
            self.0.append(&mut other.0);
        }
    }

    fn config(number: u32) -> KeyConfig {
        let config = KeyConfig::new(format!("test-key-{number}")).weight(f64::from(1 + number % 3));
        match number % 7 {
            0 => config.label(format!("name-{number}")),
            1 => config.rpm(2 + number % 5).rpd(100),
            2 => config.group(format!("group-{}", number / 50)).rpm(5),
            3 => config.tpm(1_000),
            _ => config,
        }
    }

    fn http(status: u16) -> HttpError {
        HttpError::from_parts(status, [("", ""); 0], b"")
    }

    fn keys(builder: BalancerBuilder) -> BalancerBuilder {
        (0..3_000).map(config).fold(builder, BalancerBuilder::key)
    }

    /// A database of many keys to which much has happened: to given ones, to added ones and to one that was removed.
    fn lived(db: &Path, clock: &ManualClock) {
        let given = keys(Balancer::builder().db(db).clock(clock.clone())).build().unwrap();
        for number in 3_000..3_100 {
            given.add(config(number)).unwrap();
        }
        for call in 0..4_000_u32 {
            let scope = ["", "pro", "flash"][call as usize % 3];
            let Ok(lease) = given.checkout().scope(scope).lease() else { continue };
            match call % 11 {
                0 => lease.failure(&http(429)),
                1 => lease.failure(&http(500)),
                2 if call % 3 == 0 => lease.failure(&http(401)),
                3 => lease.spent(300),
                _ => lease.success(),
            }
        }
        given.disable(&"test-key-5".into()).unwrap();
        given.remove(&"test-key-3002".into()).unwrap();
        given.flush().unwrap();
    }

    #[test]
    fn a_picture_shows_what_a_balancer_would_show() {
        let folder = tempfile::tempdir().unwrap();
        let (db, clock) = (folder.path().join("keys.db"), ManualClock::new());
        lived(&db, &clock);
        let look = || Balancer::builder().db(&db).clock(clock.clone()).access(Access::Look);
        let scope_limits =
            || keys(look()).rpm(3).scope_limits("pro", Limits::default().with_rpm(1).with_concurrency(2));
        for builder in [&look as &dyn Fn() -> BalancerBuilder, &|| keys(look()), &scope_limits] {
            let Picture { rows: Rows(mut rows), sessions } = builder().picture(|| Rows(Vec::new())).unwrap();
            rows.sort_by_key(|(place, _)| *place);
            let stats = builder().build().unwrap().stats();
            assert_eq!(sessions, stats.sessions);
            assert_eq!(rows.len(), stats.keys.len());
            for ((_, row), shown) in rows.iter().zip(&stats.keys) {
                assert_eq!(format!("{row:?}"), format!("{shown:?}"));
            }
        }
    }
}
