//! The balancer: pool, policy, scheduler and store behind one cheap handle, and the three ways to
//! use it (a plain key, a scoped call, and what `#[balanced]` expands to).

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use self::handles::Handles;
use crate::builder::{self, BalancerBuilder};
use crate::checkout::Checkout;
use crate::config::KeyConfig;
use crate::context::{self, EnterGuard, Scoped};
use crate::error::Error;
use crate::events::{self, Events};
use crate::key::Key;
use crate::keyfile;
use crate::lease::{Lease, LeaseCore, Settled};
use crate::outcome::{StatusCode, Verdict};
use crate::pool::{CheckedOut, Held, NO_SCOPE, Origin, Pool, Reloaded, Shortage, Wanted};
use crate::stats::Stats;
use crate::store::Edit;

mod handles;

/// Spreads calls over a pool of keys. Cloning copies a pointer; all clones are one balancer.
///
/// ```
/// use egb::{Balancer, Key};
///
/// let balancer = Balancer::builder().keys(["test-key-1", "test-key-2"]).in_memory().build()?;
///
/// let key: Key = balancer.key()?;                                  // auto-success mode
/// balancer.report(&key, 429);
///
/// let answer = balancer.with_keys(1, |keys| {                      // scoped mode
///     Ok::<_, egb::Error>(keys[0].expose_secret().len())
/// })?;
/// assert_eq!(answer, 10);
/// # Ok::<(), egb::Error>(())
/// ```
#[derive(Clone)]
pub struct Balancer(Arc<Handles>);

impl Balancer {
    /// Starts the making of a balancer.
    pub fn builder() -> BalancerBuilder {
        BalancerBuilder::default()
    }

    /// The next key. Fetching it counts as a success; report a failure with
    /// [`report`](Self::report). A key whose leases are as many as its concurrency limit allows is not given, but
    /// what is fetched does not count against that limit, for nobody says when the key is free again: take a
    /// [`lease`](Self::lease) for that.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeyLeft`] or [`Error::NoKeyFree`].
    pub fn key(&self) -> Result<Key, Error> {
        let fetched = self.0.pool.fetch().map_err(refusal)?;
        events::checked_out(1);
        self.wake(fetched.wake);
        Ok(fetched.keys)
    }

    /// The next `count` distinct keys, as [`key`](Self::key) gives one.
    ///
    /// # Errors
    ///
    /// As for [`key`](Self::key), and [`Error::TooFewKeys`] when the pool is smaller than `count`.
    pub fn keys(&self, count: usize) -> Result<Vec<Key>, Error> {
        Self::check_count(count)?;
        let fetched = self.0.pool.fetch_many(count).map_err(refusal)?;
        events::checked_out(count);
        self.wake(fetched.wake);
        Ok(fetched.keys)
    }

    /// Leases the next key for one call.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeyLeft`] or [`Error::NoKeyFree`].
    pub fn lease(&self) -> Result<Lease, Error> {
        let taken = self.take_one(&Wanted::plain(1))?;
        Ok(LeaseCore::new(taken, NO_SCOPE).into())
    }

    /// Leases the next `count` distinct keys for one call, or none of them.
    ///
    /// # Errors
    ///
    /// As for [`lease`](Self::lease), and [`Error::TooFewKeys`] when the pool is smaller than `count`.
    pub fn leases(&self, count: usize) -> Result<Lease, Error> {
        self.checkout().keys(count).into_core().map(Lease::from)
    }

    /// A lease with more to say: a scope, a session that sticks to its key, a time to wait.
    pub fn checkout(&self) -> Checkout {
        Checkout::new(self.clone())
    }

    /// What is wanted, if it is free now.
    pub(crate) fn take(&self, wanted: &Wanted<'_>) -> Result<CheckedOut<Held>, Error> {
        if wanted.count == 1 {
            return self.take_one(wanted);
        }
        Self::check_count(wanted.count)?;
        let taken = self.0.pool.checkout(wanted).map_err(refusal)?;
        self.note_checkout(&taken);
        Ok(taken)
    }

    #[expect(clippy::inline_always, reason = "what a plain lease wants is known where it is called")]
    #[inline(always)]
    fn take_one(&self, wanted: &Wanted<'_>) -> Result<CheckedOut<Held>, Error> {
        let taken = self.0.pool.checkout_one(wanted).map_err(refusal)?;
        events::checked_out(1);
        self.wake(taken.wake);
        Ok(taken)
    }

    pub(crate) fn note_checkout(&self, taken: &CheckedOut<Held>) {
        events::checked_out(taken.keys.keys().len());
        self.wake(taken.wake);
    }

    pub(crate) fn check_count(count: usize) -> Result<(), Error> {
        if count == 0 {
            let (what, problem) = ("the number of keys".to_owned(), "is 0; ask for at least one");
            return Err(Error::Invalid { what, problem });
        }
        Ok(())
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.0.pool
    }

    /// Calls `body` with `count` distinct keys and learns from its result. Inside it `egb::key()` is
    /// the first of them.
    ///
    /// Any `Ok` is a success, an answer with status 429 too, which `#[balanced]` would call a failure: turn it into an error
    /// in `body` (`response.error_for_key()`, or [`HttpError::from_parts`](crate::HttpError::from_parts)).
    ///
    /// When the result disables a key, it returns once that is on disk, which can take
    /// [a while](crate::Lease::end).
    ///
    /// # Errors
    ///
    /// What `body` returns; or the error of [`leases`](Self::leases), and `body` is not called.
    pub fn with_keys<T, E>(&self, count: usize, body: impl FnOnce(&[Key]) -> Result<T, E>) -> Result<T, E>
    where
        E: StatusCode + From<Error>,
    {
        let lease = self.leases(count)?;
        let result = context::with_keys(lease.held(), || body(lease.keys()));
        lease.report(&result);
        result
    }

    /// The async twin of [`with_keys`](Self::with_keys), which blocks no thread. A future that is dropped on the way
    /// leaves the keys as they were.
    ///
    /// # Errors
    ///
    /// As for [`with_keys`](Self::with_keys).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), egb::Error> {
    /// # let balancer = egb::Balancer::builder().key("test-key-1").in_memory().build()?;
    /// let length = balancer
    ///     .with_keys_async(1, |keys| async move { Ok::<_, egb::Error>(keys[0].expose_secret().len()) })
    ///     .await?;
    /// assert_eq!(length, 10);
    /// # Ok(()) }
    /// ```
    pub async fn with_keys_async<T, E, F>(&self, count: usize, body: impl FnOnce(Vec<Key>) -> F) -> Result<T, E>
    where
        E: StatusCode + From<Error>,
        F: Future<Output = Result<T, E>>,
    {
        let lease = self.leases(count)?;
        let keys = lease.keys().to_vec();
        let running = context::with_keys(lease.held(), || body(keys));
        let result = context::in_call(lease.held(), running).await;
        let verdict = match &result {
            Ok(_) => Verdict::Success,
            Err(error) => Verdict::error(error),
        };
        if let Some(ack) = lease.settle(&verdict).into_ack() {
            ack.await;
        }
        result
    }

    /// Says how a call with a key from [`key`](Self::key) ended: a status, an error, or a
    /// [`Verdict`]. A key that is not in the pool (it may have been removed) is no error. When the
    /// report disables the key, it returns once that is on disk: see [`Lease::end`] for how long that may take, and what async
    /// code does.
    ///
    /// ```
    /// # let balancer = egb::Balancer::builder().key("test-key-1").in_memory().build()?;
    /// let key = balancer.key()?;
    /// balancer.report(&key, 401);
    /// assert_eq!(balancer.stats().disabled(), 1);
    /// # Ok::<(), egb::Error>(())
    /// ```
    pub fn report(&self, key: &Key, outcome: impl Into<Verdict>) {
        let verdict = outcome.into();
        if let Some(effect) = self.0.pool.report(key.fingerprint(), &verdict) {
            events::settled(key, &verdict);
            Settled::of(effect, self.0.pool.home()).wait();
        }
    }

    /// Says how many tokens a call with this key spent, for limits of tokens a minute
    /// ([`Limits::tpm`](crate::Limits::tpm)): the key's last call that has not said so. A key that is not in the pool
    /// is no error. With a lease, [`Lease::spent`] says it of this very call.
    ///
    /// ```
    /// # let balancer = egb::Balancer::builder().key("test-key-1").tpm(1000).in_memory().build()?;
    /// let key = balancer.key()?;
    /// balancer.spent(&key, 800);
    /// assert_eq!(balancer.stats().keys[0].tokens_in_minute, Some(800));
    /// # Ok::<(), egb::Error>(())
    /// ```
    pub fn spent(&self, key: &Key, tokens: u64) {
        self.wake(self.0.pool.spent_last(key.fingerprint(), tokens));
    }

    pub(crate) fn wake(&self, wake: bool) {
        self.0.pool.home().wake(wake);
    }

    /// A picture of all keys.
    pub fn stats(&self) -> Stats {
        self.0.pool.stats()
    }

    /// Changes of keys' states from now on: disablements, cooldowns, circuits, limits that were learned, whoever
    /// caused them, another process included. The same are `tracing` events of the target `egb`.
    ///
    /// ```
    /// use egb::{Balancer, EventKind, Reason};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let balancer = Balancer::builder().key("test-key-1").in_memory().build()?;
    /// let mut events = balancer.subscribe();
    /// balancer.report(&"test-key-1".into(), 401);
    /// let event = events.next().await?.expect("the balancer is there");
    /// assert_eq!(event.kind, EventKind::Disabled { reason: Some(Reason::InvalidKey) });
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn subscribe(&self) -> Events {
        self.0.pool.subscribe()
    }

    /// Writes everything that changed to disk, and returns when it is there. Without a database it
    /// does nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when it can't be written. Nothing is lost: it is kept and tried again.
    pub fn flush(&self) -> Result<(), Error> {
        match &self.0.inner.writer {
            Some(writer) => writer.flush().map_err(Error::from),
            None => Ok(()),
        }
    }

    /// Reads the keys files and environment variables again. Keys that stay keep their health, new
    /// ones join, missing ones leave; one that left and comes back is enabled. The builder's
    /// [`watch`](BalancerBuilder::watch) does it whenever a file changes.
    ///
    /// # Errors
    ///
    /// As for [`BalancerBuilder::build`]; then the pool stays as it was.
    pub fn reload(&self) -> Result<Reloaded, Error> {
        self.0.inner.intake.reload()
    }

    /// Adds a key to the pool; one that was added before gets these settings. With a database it is in force in all
    /// processes that share it, within a second, and after a restart. Where a keys file, an environment variable or code
    /// gives the same key, their settings prevail. A key that was disabled once is enabled, unless it is in the pool.
    ///
    /// The database holds the key itself then: in the clear, readable by the file's owner, unless it is sealed (the builder's `seal`,
    /// feature `seal`).
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a key, label, weight or limit that can't be, [`Error::Store`] when it can't be written; then
    /// nothing is added.
    ///
    /// ```
    /// use egb::{Balancer, KeyConfig};
    ///
    /// let balancer = Balancer::builder().key("test-key-1").in_memory().build()?;
    /// balancer.add(KeyConfig::new("test-key-2").weight(2.0).label("spare"))?;
    /// assert_eq!(balancer.stats().total(), 2);
    /// balancer.remove(&"test-key-2".into())?;
    /// assert_eq!(balancer.stats().total(), 1);
    /// # Ok::<(), egb::Error>(())
    /// ```
    pub fn add(&self, key: impl Into<KeyConfig>) -> Result<(), Error> {
        let config = key.into();
        builder::check(&config)?;
        if keyfile::key_in_names(&config, |name| self.0.pool.origin(*name).is_some()).is_some() {
            return Err(builder::repeats_another(&config));
        }
        self.edit(Edit::Add(vec![config]))
    }

    /// Removes a key that was added ([`add`](Self::add)), here and in all processes that share the database, and
    /// deletes its text from it. Calls that hold the key go on. What the key did stays on record.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownKey`] when the key is not in the pool, [`Error::Invalid`] when a keys file, an environment
    /// variable or code gives it, [`Error::Store`] when it can't be written; then nothing is removed.
    pub fn remove(&self, key: &Key) -> Result<(), Error> {
        let fingerprint = key.fingerprint();
        match self.0.pool.origin(fingerprint) {
            None => Err(Error::UnknownKey { fingerprint }),
            Some(Origin::Given) => {
                let what = format!("the key {fingerprint} (a fingerprint; keys are never shown)");
                let problem = "is given by a keys file, an environment variable or code; delete it there and call \
                               `balancer.reload()`, or disable it";
                Err(Error::Invalid { what, problem })
            }
            Some(Origin::Added) => self.edit(Edit::Remove(vec![fingerprint])),
        }
    }

    fn edit(&self, edit: Edit) -> Result<(), Error> {
        match &self.0.inner.writer {
            Some(writer) => writer.edit(edit)?,
            None => self.0.pool.edit_added(&edit),
        }
        Ok(())
    }

    /// Gives every key its full share back: enabled, rested, healthy. Counts stay, and limits hold on, learned ones
    /// included.
    ///
    /// # Errors
    ///
    /// As for [`flush`](Self::flush): the reset is in force, and on disk when this returns `Ok`.
    pub fn reset(&self) -> Result<(), Error> {
        self.0.pool.reset();
        self.flush()
    }

    /// Puts a disabled key back in use, with the share that it had, and ends its cooldown.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownKey`] when the key is not in the pool; else as for [`reset`](Self::reset).
    pub fn enable(&self, key: &Key) -> Result<(), Error> {
        self.set_enabled(key, true)
    }

    /// Takes a key out until [`enable`](Self::enable) or [`reset`](Self::reset). Calls that hold it go on.
    ///
    /// # Errors
    ///
    /// As for [`enable`](Self::enable).
    pub fn disable(&self, key: &Key) -> Result<(), Error> {
        self.set_enabled(key, false)
    }

    fn set_enabled(&self, key: &Key, enable: bool) -> Result<(), Error> {
        let fingerprint = key.fingerprint();
        self.0.pool.set_enabled(fingerprint, enable).ok_or(Error::UnknownKey { fingerprint })?;
        self.flush()
    }

    /// Makes this balancer the default of the current thread, in place of the global one, until the
    /// guard is dropped: tests never fight over a global. For async code take [`scope`](Self::scope).
    ///
    /// ```
    /// let balancer = egb::Balancer::builder().key("test-key-1").in_memory().build()?;
    /// let _entered = balancer.enter();
    /// assert_eq!(egb::key()?.expose_secret(), "test-key-1");
    /// # Ok::<(), egb::Error>(())
    /// ```
    pub fn enter(&self) -> EnterGuard {
        EnterGuard::new(self.clone())
    }

    /// Makes this balancer the default within `body`, wherever it is polled. Tasks that `body` spawns
    /// have their own surroundings: scope them too.
    pub fn scope<F: Future>(&self, body: F) -> Scoped<F> {
        Scoped::new(self.clone(), body)
    }
}

/// Shows how many keys there are, and no key.
impl fmt::Debug for Balancer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = self.stats();
        f.debug_struct("Balancer")
            .field("keys", &stats.total())
            .field("available", &stats.available())
            .field("disabled", &stats.disabled())
            .finish_non_exhaustive()
    }
}

/// Why the keys could not be given.
#[cold]
pub(crate) fn refusal(shortage: Shortage) -> Error {
    events::refused();
    let Shortage { wanted, total, disabled, parked, busy, next_due, .. } = shortage;
    if wanted > total {
        Error::TooFewKeys { wanted, total }
    } else if wanted > total - disabled {
        Error::NoKeyLeft { wanted, disabled, total }
    } else {
        Error::NoKeyFree { cooling: parked, busy, disabled, retry_after: next_due }
    }
}
