//! The global and the named balancers: each registered once, for the life of the program.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::env;
use std::time::Duration;

use once_cell::sync::OnceCell;
use parking_lot::Mutex;

use crate::balancer::Balancer;
use crate::context;
use crate::error::Error;
use crate::key::Key;
use crate::sync::{RwLock, thread_local};

/// Built by `init`, or from the environment at its first use: a failure there is not for ever.
static GLOBAL: OnceCell<Balancer> = OnceCell::new();
static NAMED: Named = Named::new();

/// Held while the global balancer is built from the environment, so that it is built once.
static BUILDING: Mutex<()> = Mutex::new(());
/// How long to wait for another thread that builds it. Building tells `tracing` what it finds, and so runs code of others,
/// which may wait for this very thread: then it is built twice, and that of the first to be done is taken.
const PATIENCE: Duration = Duration::from_secs(5);

thread_local! {
    static IS_BUILDING: Cell<bool> = const { Cell::new(false) };
}

const KEYS_FILE: &str = "EGB_KEYS_FILE";
const KEYS: &str = "EGB_KEYS";
const DB: &str = "EGB_DB";

/// Balancers by name.
pub(crate) struct Named(RwLock<BTreeMap<String, Balancer>>);

impl Named {
    pub(crate) const fn new() -> Self {
        Self(RwLock::new(BTreeMap::new()))
    }

    pub(crate) fn register(&self, name: String, balancer: &Balancer) -> Result<(), Error> {
        match self.0.write().entry(name) {
            Entry::Vacant(place) => {
                place.insert(balancer.clone());
                Ok(())
            }
            Entry::Occupied(place) => Err(Error::AlreadyRegistered { name: Some(place.key().clone()) }),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Result<Balancer, Error> {
        let named = self.0.read();
        let known = || named.keys().cloned().collect();
        named.get(name).cloned().ok_or_else(|| Error::UnknownBalancer { name: name.to_owned(), known: known() })
    }
}

/// Writes a registered balancer's state to disk when it is dropped. Keep it until the end of `main`.
///
/// Calls go on working after that; what they change is written within 250 ms as ever.
#[derive(Debug)]
pub struct Guard {
    balancer: Balancer,
}

impl Guard {
    /// The balancer that was registered.
    pub fn balancer(&self) -> &Balancer {
        &self.balancer
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Err(error) = self.balancer.flush() {
            tracing::warn!(target: "egb", %error, "the last changes could not be written");
        }
    }
}

/// Registers the global balancer, which `#[balanced]` and [`key`] use.
///
/// # Errors
///
/// [`Error::AlreadyRegistered`] when there is one already, be it made from the environment.
///
/// ```
/// let _guard = egb::init(egb::Balancer::builder().key("test-key-1").in_memory().build()?)?;
/// assert_eq!(egb::key()?.expose_secret(), "test-key-1");
/// # Ok::<(), egb::Error>(())
/// ```
#[must_use = "dropping the guard writes the state to disk; keep it until the end of `main`: `let _guard = egb::init(..)?;`"]
pub fn init(balancer: Balancer) -> Result<Guard, Error> {
    GLOBAL.set(balancer.clone()).map_err(|_| Error::AlreadyRegistered { name: None })?;
    Ok(Guard { balancer })
}

/// Registers a balancer under a name, for `#[balanced(balancer = "name")]` and [`get`].
///
/// # Errors
///
/// [`Error::AlreadyRegistered`] when the name is taken.
///
/// ```
/// use egb::{Balancer, Error};
///
/// let _guard = egb::register("gemini", Balancer::builder().key("test-key-1").in_memory().build()?)?;
/// assert_eq!(egb::get("gemini")?.key()?.expose_secret(), "test-key-1");
/// # Ok::<(), Error>(())
/// ```
pub fn register(name: impl Into<String>, balancer: Balancer) -> Result<Guard, Error> {
    NAMED.register(name.into(), &balancer)?;
    Ok(Guard { balancer })
}

/// The balancer registered under `name`.
///
/// # Errors
///
/// [`Error::UnknownBalancer`], which names those there are.
pub fn get(name: &str) -> Result<Balancer, Error> {
    NAMED.get(name)
}

/// The default balancer here: the one entered with [`Balancer::enter`] or [`Balancer::scope`], else
/// the global one, which is built from the environment if `init` was not called.
pub(crate) fn current() -> Result<Balancer, Error> {
    if let Some(entered) = context::balancer() {
        return Ok(entered);
    }
    if let Some(global) = GLOBAL.get() {
        return Ok(global.clone());
    }
    // Asked by what the building of it told something.
    if IS_BUILDING.with(Cell::get) {
        return Err(Error::NotSetUp);
    }
    let _turn = BUILDING.try_lock_for(PATIENCE);
    if GLOBAL.get().is_none() {
        let _building = Building::begin();
        // It is dropped if another one was faster.
        let _ = GLOBAL.set(from_environment()?);
    }
    GLOBAL.get().cloned().ok_or(Error::NotSetUp)
}

/// Marks the thread until it is dropped.
struct Building;

impl Building {
    fn begin() -> Self {
        IS_BUILDING.with(|is_building| is_building.set(true));
        Self
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        IS_BUILDING.with(|is_building| is_building.set(false));
    }
}

fn from_environment() -> Result<Balancer, Error> {
    let is_set = |variable| env::var_os(variable).is_some_and(|value| !value.is_empty());
    let mut builder = Balancer::builder();
    if !is_set(KEYS_FILE) && !is_set(KEYS) {
        return Err(Error::NotSetUp);
    }
    if is_set(KEYS_FILE) {
        builder = builder.keys_file(env::var_os(KEYS_FILE).unwrap_or_default());
    }
    if is_set(KEYS) {
        builder = builder.keys_env(KEYS);
    }
    if is_set(DB) {
        builder = builder.db(env::var_os(DB).unwrap_or_default());
    }
    builder.build()
}

/// A key, in one line. Inside a balanced call it is the key of that call, so that helper functions
/// never spend another one; elsewhere it is the next key of the default balancer, and fetching it
/// counts as a success. Report a failure with [`Balancer::report`].
///
/// # Errors
///
/// [`Error::NotSetUp`] without a global balancer (or in a `tracing` subscriber that its making tells something),
/// [`Error::NoKeyLeft`] or [`Error::NoKeyFree`] when
/// there is no key to give.
///
/// ```
/// # let balancer = egb::Balancer::builder().key("test-key-1").in_memory().build()?;
/// # let _entered = balancer.enter();
/// let key = egb::key()?;
/// assert_eq!(key.expose_secret(), "test-key-1");
/// # Ok::<(), egb::Error>(())
/// ```
pub fn key() -> Result<Key, Error> {
    match context::held_key() {
        Some(key) => Ok(key),
        None => current()?.key(),
    }
}

/// `count` distinct keys: as [`key`] does, those of the balanced call that this runs in if it has so
/// many, else the next ones of the default balancer.
///
/// # Errors
///
/// As for [`key`], and [`Error::TooFewKeys`] when the pool is smaller than `count`.
pub fn keys(count: usize) -> Result<Vec<Key>, Error> {
    match context::held_keys(count).filter(|keys| !keys.is_empty()) {
        Some(keys) => Ok(keys),
        None => current()?.keys(count),
    }
}
