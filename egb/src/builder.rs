//! The making of a balancer: where keys come from, limits, policy, clock and database.

use std::mem;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rand::TryRng;
use rand::rngs::SysRng;

use crate::balancer::Balancer;
use crate::clock::{Clock, SystemClock, Timeline, Zone};
use crate::config::KeyConfig;
use crate::error::Error;
use crate::key::Key;
use crate::limits::Limits;
use crate::policy::Policy;
use crate::pool::{MAX_SCOPES, Pool, Settings};
use crate::reload::Intake;
use crate::store::{Record, Seal, Sqlite, Store, StoreError, Usage, Writer};
use crate::watch::{FirstLook, Watcher};

#[cfg(feature = "cli")]
mod access;
mod given;
#[cfg(feature = "cli")]
mod picture;
mod sources;
#[cfg(feature = "cli")]
pub(crate) use access::Access;
#[cfg(feature = "cli")]
pub(crate) use picture::{Gather, Picture, Place};
use sources::Source;
#[cfg(feature = "cli")]
pub(crate) use sources::read_variable;
pub(crate) use sources::{Sources, check, repeats_another};

/// Makes a [`Balancer`]. Give it keys, and a database if its state is to outlive the process.
///
/// ```no_run
/// let balancer = egb::Balancer::builder()
///     .keys_file("keys.txt")
///     .keys_env("GEMINI_API_KEYS")
///     .db("keys.db")
///     .rpm(10)
///     .build()?;
/// # Ok::<(), egb::Error>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "call `.build()`"]
pub struct BalancerBuilder {
    sources: Sources,
    db: Option<PathBuf>,
    seal: Option<Seal>,
    policy: Policy,
    clock: Option<Arc<dyn Clock>>,
    time_zone: Option<String>,
    scope_limits: Vec<(String, Limits)>,
    cache_size: Option<usize>,
    seed: Option<u64>,
    /// Limits are not learned.
    fixed_limits: bool,
    watch: bool,
    #[cfg(feature = "cli")]
    access: Access,
}

impl BalancerBuilder {
    /// Reads keys from a file: `key` or `key:weight` a line, then `label=`, `group=`, `rpm=`, `rpd=`, `tpm=`,
    /// `concurrency=` if wanted; `#` starts a comment.
    pub fn keys_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.list.push(Source::File(path.into()));
        self
    }

    /// Whether keys files that change are read again while the balancer is in use, without a restart; they are not unless
    /// this says so. It is what [`Balancer::reload`] does, one to two seconds after the change: once the file has stayed as it
    /// is for a second, so that one that is still being written is not taken in. Write a large file under another name
    /// and rename it.
    ///
    /// A new file that is broken, empty or missing changes nothing: the keys stay, and a warning (a `tracing` event named
    /// `reload_refused`) says once what is wrong in which line. A reload is told as `keys_reloaded`, and to
    /// [subscribers](Balancer::subscribe) key by key.
    ///
    /// Editors that put a new file in the place of the old one are followed, and so are links that lead to another file all at once, as
    /// Kubernetes does with the files of a secret. The thread that looks ends with the last handle of the balancer.
    pub fn watch(mut self, watch: bool) -> Self {
        self.watch = watch;
        self
    }

    /// Adds one key: a string, a [`Key`] or a [`KeyConfig`].
    pub fn key(mut self, key: impl Into<KeyConfig>) -> Self {
        self.sources.push(key.into());
        self
    }

    /// Adds keys of weight 1.
    pub fn keys<K: Into<Key>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        keys.into_iter().for_each(|key| self.sources.push(KeyConfig::new(key)));
        self
    }

    /// Reads keys from an environment variable: `key` or `key:weight`, separated by commas or line breaks.
    pub fn keys_env(mut self, variable: impl Into<String>) -> Self {
        self.sources.list.push(Source::Environment(variable.into()));
        self
    }

    /// Keeps the state in this SQLite database, which is made if it is not there (mode 0600). Keys
    /// are not in it: it knows them by fingerprint.
    ///
    /// A database of the Python tool easy-gemini-balance is taken over: its weights, errors, availability and times become
    /// those of the keys. A copy of it as it was, keys included, is left beside it (`keys.db.python-backup`).
    pub fn db(mut self, path: impl Into<PathBuf>) -> Self {
        self.db = Some(path.into());
        self
    }

    /// Encrypts the keys that are added to the database ([`Balancer::add`]); those that are in it in the clear are
    /// sealed as it is opened. All who use the database need the same passphrase or key file from then on. Feature `seal`.
    #[cfg(feature = "seal")]
    pub fn seal(mut self, seal: Seal) -> Self {
        self.seal = Some(seal);
        self
    }

    /// Keeps the state in memory alone. That is the default; this says so, and undoes [`db`](Self::db).
    pub fn in_memory(mut self) -> Self {
        self.db = None;
        self
    }

    /// The rules by which calls change a key's health.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Requests a minute for each key that sets no `rpm` of its own.
    pub fn rpm(mut self, requests: u32) -> Self {
        self.sources.rpm = Some(requests);
        self
    }

    /// Requests a day (from midnight of the [`time_zone`](Self::time_zone)) for each key that sets no `rpd` of its own.
    pub fn rpd(mut self, requests: u32) -> Self {
        self.sources.rpd = Some(requests);
        self
    }

    /// Tokens a minute for each key that sets no `tpm` of its own. A call is charged what calls spent on average,
    /// until it says what it spent: see [`Lease::spent`](crate::Lease::spent).
    pub fn tpm(mut self, tokens: u32) -> Self {
        self.sources.tpm = Some(tokens);
        self
    }

    /// Calls at once for each key that sets no `concurrency` of its own.
    pub fn concurrency(mut self, calls: u32) -> Self {
        self.sources.concurrency = Some(calls);
        self
    }

    /// Limits of each key (or of each group together) for the calls of one scope, beside those for all its calls: a
    /// provider allows each model its own rate.
    ///
    /// ```
    /// use egb::{Balancer, Limits};
    ///
    /// let balancer = Balancer::builder()
    ///     .keys(["test-key-1", "test-key-2"])
    ///     .scope_limits("gemini-2.5-pro", Limits::default().with_rpm(5).with_rpd(100))
    ///     .scope_limits("gemini-2.5-flash", Limits::default().with_rpm(10))
    ///     .build()?;
    /// let lease = balancer.checkout().scope("gemini-2.5-pro").lease()?;
    /// # Ok::<(), egb::Error>(())
    /// ```
    pub fn scope_limits(mut self, scope: impl Into<String>, limits: Limits) -> Self {
        let scope = scope.into();
        self.scope_limits.retain(|(known, _)| *known != scope);
        self.scope_limits.push((scope, limits));
        self
    }

    /// Whether egb learns from 429s how many requests a minute a key serves, where no `rpm` is given; it does
    /// unless this says no. What it learned is in [`KeyStats::learned_rpm`](crate::KeyStats::learned_rpm).
    ///
    /// At a 429 the key had as many calls within a minute as it may have. egb stays at that, for each key (or
    /// group) and scope, and when no other key is free lets one call more through now and then, to find out whether the limit has grown.
    pub fn learn_limits(mut self, learn: bool) -> Self {
        self.fixed_limits = !learn;
        self
    }

    /// How many sessions (`affinity`) are remembered, each with the key that it sticks to; of more, those used least
    /// recently are forgotten. If nothing is said it is 1,024 for each key, and 65,536 at most. 0 remembers none.
    pub fn cache_size(mut self, sessions: usize) -> Self {
        self.cache_size = Some(sessions);
        self
    }

    /// The time zone at whose midnight daily quotas begin anew, by its name in the IANA database; if nothing is
    /// said it is `America/Los_Angeles`, which is [Google's](https://ai.google.dev/gemini-api/docs/rate-limits).
    ///
    /// ```
    /// let balancer = egb::Balancer::builder().key("test-key").rpd(1000).time_zone("UTC").build()?;
    /// # Ok::<(), egb::Error>(())
    /// ```
    pub fn time_zone(mut self, name: impl Into<String>) -> Self {
        self.time_zone = Some(name.into());
        self
    }

    /// The source of time, for tests: see [`ManualClock`](crate::ManualClock).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Decides in which order keys start that were never used, and how long pauses with jitter are; chance decides
    /// if nothing is said. With a [`ManualClock`](crate::ManualClock) it makes a test run the same each time.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Reads the keys, opens the database and makes the balancer.
    ///
    /// Build it after the process has forked, in each child: the threads that write, watch files and wake who waits do not live on
    /// in a child, and neither SQLite nor the locks may be taken along.
    ///
    /// # Errors
    ///
    /// - [`Error::NoKeys`] without a source, [`Error::EmptySource`] for one that holds no key
    /// - [`Error::KeysFile`], [`Error::Environment`], [`Error::Invalid`] for keys that can't be taken:
    ///   all bad lines of a source at once, and no key is shown
    /// - [`Error::Invalid`] for a time zone that nobody knows, or limits of a scope without a name
    /// - [`Error::Store`] for a database that can't be used; it is left as it was
    pub fn build(mut self) -> Result<Balancer, Error> {
        // They are kept, for a reload.
        self.sources.shrink_to_fit();
        let (settings, timeline) = self.prepare()?;
        let is_watched = self.watch && self.sources.has_files();
        let watched = is_watched.then(|| FirstLook::at(self.sources.files(), timeline.wall().now()));
        let (configs, loaded) = self.read()?;
        let Some(loaded) = loaded else {
            let pool = Pool::new(configs, Vec::new(), settings, timeline, false);
            return finish(pool, self.sources, None, watched);
        };
        #[cfg(feature = "cli")]
        if self.access != Access::Use {
            return access::build(self.access, self.sources, configs, loaded, settings, timeline, watched);
        }
        let Loaded { store, records, usage, added } = loaded;
        if configs.is_empty() && added.is_empty() {
            return Err(Error::NoKeys);
        }
        let settings = Settings { usage, added, ..settings };
        let pool = Pool::new(configs, records, settings, timeline, true);
        let writer = Writer::spawn(store, pool.clone()).map_err(Arc::new)?;
        finish(pool, self.sources, Some(writer), watched)
    }

    /// All that a pool takes but its keys.
    fn prepare(&mut self) -> Result<(Settings, Timeline), Error> {
        self.check_scopes()?;
        let zone = self.zone()?;
        let defaults = self.sources.defaults()?;
        let timeline = match self.clock.take() {
            Some(clock) => Timeline::new(clock, zone.clone()),
            None => Timeline::of_system(SystemClock::new(), zone.clone()),
        };
        // Without the system's randomness the clock tells processes apart.
        let seed = self.seed.unwrap_or_else(|| SysRng.try_next_u64().unwrap_or_else(|_| timeline.seed()));
        let settings = Settings {
            policy: mem::take(&mut self.policy).within_zone(zone),
            seed,
            scope_limits: mem::take(&mut self.scope_limits),
            learn: !self.fixed_limits,
            usage: Vec::new(),
            added: Vec::new(),
            defaults,
            cache_size: self.cache_size,
            is_bystander: false,
        };
        Ok((settings, timeline))
    }

    fn check_scopes(&self) -> Result<(), Error> {
        if self.scope_limits.iter().any(|(scope, _)| scope.is_empty()) {
            let problem = "have an empty name; name the scope, or set limits for all calls with `rpm` and its like";
            return Err(invalid("the limits of a scope".to_owned(), problem));
        }
        if self.scope_limits.len() > MAX_SCOPES {
            let problem = "are set for more scopes than are kept apart (256); a scope is a model or an endpoint";
            return Err(invalid("the limits of scopes".to_owned(), problem));
        }
        Ok(())
    }

    fn zone(&self) -> Result<Zone, Error> {
        let Some(name) = &self.time_zone else { return Ok(Zone::default()) };
        Zone::named(name).ok_or_else(|| {
            let problem = "is not in the IANA database; take a name like Europe/Berlin, America/Los_Angeles or UTC";
            invalid(format!("the time zone {name:?}"), problem)
        })
    }

    /// The keys, and what the database holds.
    fn read(&self) -> Result<(Vec<KeyConfig>, Option<Loaded>), Error> {
        let Some(path) = &self.db else { return Ok((self.sources.read(false)?, None)) };
        let load = |configs: &[KeyConfig]| {
            #[cfg(feature = "cli")]
            if self.access != Access::Use {
                return Loaded::from(access::open(self.access, path, self.seal.as_ref())?);
            }
            Loaded::from(Sqlite::open_for(path, configs, self.seal.as_ref())?)
        };
        // A keys file and a database of 100,000 keys take a tenth of a second each. A database that is yet to be
        // made, or to be taken over, needs to know the keys first.
        if !(self.sources.has_files() && Sqlite::is_ready(path)) {
            let configs = self.sources.read(true)?;
            let loaded = load(&configs)?;
            return Ok((configs, Some(loaded)));
        }
        thread::scope(|threads| {
            let reader = threads.spawn(|| self.sources.read(true));
            let loaded = load(&[]);
            let configs = reader.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            Ok((configs, Some(loaded?)))
        })
    }
}

/// The balancer, with a watch on its keys files if `first` tells what was seen of them.
fn finish(
    pool: Arc<Pool>,
    sources: Sources,
    writer: Option<Writer>,
    first: Option<FirstLook>,
) -> Result<Balancer, Error> {
    let intake = Arc::new(Intake::new(pool.clone(), sources, writer.as_ref().map(Writer::bell)));
    let watcher = first.map(|first| Watcher::spawn(intake.clone(), first)).transpose().map_err(|error| {
        invalid(
            format!("the thread that watches keys files ({error})"),
            "can't be started; allow the process more threads",
        )
    })?;
    Ok(Balancer::new(pool, intake, writer, watcher))
}

/// A database, and what it holds.
struct Loaded {
    store: Sqlite,
    records: Vec<Record>,
    usage: Vec<Usage>,
    added: Vec<KeyConfig>,
}

impl Loaded {
    fn from(mut store: Sqlite) -> Result<Self, Arc<StoreError>> {
        let (records, added) = (store.load()?, store.added_keys()?.unwrap_or_default());
        let usage = store.usage()?;
        Ok(Self { store, records, usage, added })
    }
}

fn invalid(what: String, problem: &'static str) -> Error {
    Error::Invalid { what, problem }
}
