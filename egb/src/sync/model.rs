//! The interfaces of `parking_lot` that egb uses, on shuttle's types. Time does not pass in a model: a wait of up to
//! an hour or more ends when it is rung, a shorter one may end at any moment.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use shuttle::rand::Rng as _;
pub(crate) use shuttle::sync::atomic;
pub(crate) use shuttle::{thread, thread_local};

const FOR_EVER: Duration = Duration::from_secs(3600);
/// Whatever may be so or not.
pub(crate) fn perhaps() -> bool {
    shuttle::rand::thread_rng().gen_bool(0.3)
}

const NO_POISON: &str = "a thread of a model that panics ends the model";

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

/// Empty only while it is waited or unlocked with.
#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T> {
    lock: &'a shuttle::sync::Mutex<T>,
    guard: Option<shuttle::sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard { lock: &self.0, guard: Some(self.0.lock().expect(NO_POISON)) }
    }
}

impl<T> MutexGuard<'_, T> {
    pub(crate) fn unlocked<R>(this: &mut Self, work: impl FnOnce() -> R) -> R {
        this.guard = None;
        let result = work();
        this.guard = Some(this.lock.lock().expect(NO_POISON));
        result
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_deref().expect("it is held")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_deref_mut().expect("it is held")
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(shuttle::sync::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(shuttle::sync::Condvar::new())
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    pub(crate) fn wait_while<T>(&self, guard: &mut MutexGuard<'_, T>, mut condition: impl FnMut(&mut T) -> bool) {
        while condition(guard) {
            let held = guard.guard.take().expect("it is held");
            guard.guard = Some(self.0.wait(held).expect(NO_POISON));
        }
    }

    pub(crate) fn wait_while_for<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        mut condition: impl FnMut(&mut T) -> bool,
        timeout: Duration,
    ) {
        if timeout >= FOR_EVER {
            return self.wait_while(guard, condition);
        }
        while condition(guard) {
            if perhaps() {
                return;
            }
            MutexGuard::unlocked(guard, thread::yield_now);
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(shuttle::sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(shuttle::sync::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> shuttle::sync::RwLockReadGuard<'_, T> {
        self.0.read().expect(NO_POISON)
    }

    pub(crate) fn write(&self) -> shuttle::sync::RwLockWriteGuard<'_, T> {
        self.0.write().expect(NO_POISON)
    }
}

/// Runs a model many times (a thousand, or `EGB_MODELS`): with its threads taken in turn at random, and with few
/// changes of turn, at the worst places (Burckhardt et al.: A randomized scheduler with probabilistic guarantees of
/// finding bugs, 2010).
#[cfg(test)]
pub(crate) fn explore(model: impl Fn() + Send + Sync + Clone + 'static) {
    let runs = std::env::var("EGB_MODELS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(1_000);
    let config = || {
        let mut config = shuttle::Config::new();
        // SQL, logs and formatting are deep.
        config.stack_size = 1 << 20;
        config
    };
    shuttle::Runner::new(shuttle::scheduler::RandomScheduler::new(runs), config()).run(model.clone());
    shuttle::Runner::new(shuttle::scheduler::PctScheduler::new(3, runs), config()).run(model);
}
