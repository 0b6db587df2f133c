//! The only place that reads time, so that tests can set it.
//!
//! In memory a balancer counts monotonic nanoseconds ([`Tick`]) from its start; what users see and
//! what is stored is UTC. A wall clock that jumps while the program runs changes neither order nor
//! cooldowns.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

mod system;
mod timer;
mod zone;

pub use system::SystemClock;
pub(crate) use zone::Zone;

/// A source of time. [`SystemClock`] is the real one; [`ManualClock`] stands still until told.
///
/// It is read under the balancer's lock at times: it must not use the balancer, nor log to what does.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Time since an instant of the clock's choice. It never goes back.
    fn monotonic(&self) -> Duration;

    /// As [`monotonic`](Self::monotonic), where that costs less: it may be some milliseconds behind, and is never ahead.
    fn monotonic_coarse(&self) -> Duration {
        self.monotonic()
    }

    /// The wall clock. It may jump.
    fn utc(&self) -> SystemTime;

    /// A future that is ready once [`monotonic`](Self::monotonic) has reached `at`, on any executor. What is
    /// provided here serves clocks that go at the pace of real time.
    fn sleep_until(&self, at: Duration) -> Sleep {
        timer::sleep(at.saturating_sub(self.monotonic()))
    }
}

/// What [`Clock::sleep_until`] returns.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The wall clock of the operating system, for what happens outside any balancer.
pub(crate) fn system_utc() -> SystemTime {
    SystemTime::now()
}

/// A clock for tests: it moves when [`advance`](ManualClock::advance) says so. Clones share the time.
///
/// ```
/// use std::time::Duration;
/// use egb::{Balancer, ManualClock};
///
/// let clock = ManualClock::new();
/// let balancer = Balancer::builder().key("test-key-1").in_memory().clock(clock.clone()).build()?;
/// balancer.report(&"test-key-1".into(), 429);
/// assert!(balancer.key().is_err());           // cooling down
/// clock.advance(Duration::from_secs(300));
/// assert!(balancer.key().is_ok());
/// # Ok::<(), egb::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Reading>>);

#[derive(Debug)]
struct Reading {
    monotonic: Duration,
    utc: SystemTime,
    sleepers: BTreeMap<(Duration, u64), Waker>,
    last_sleeper: u64,
}

impl ManualClock {
    /// A clock that stands at the present.
    pub fn new() -> Self {
        Self::at(SystemTime::now())
    }

    /// A clock that stands at `utc`.
    pub fn at(utc: SystemTime) -> Self {
        let (monotonic, sleepers) = (Duration::ZERO, BTreeMap::new());
        Self(Arc::new(Mutex::new(Reading { monotonic, utc, sleepers, last_sleeper: 0 })))
    }

    /// Lets time pass, and wakes who slept until then.
    pub fn advance(&self, by: Duration) {
        let mut reading = self.0.lock();
        reading.monotonic += by;
        reading.utc += by;
        let after = reading.monotonic + Duration::from_nanos(1);
        let later = reading.sleepers.split_off(&(after, 0));
        let due = mem::replace(&mut reading.sleepers, later);
        drop(reading);
        due.into_values().for_each(Waker::wake);
    }

    /// How many calls sleep on this clock: they wait for a key, a backoff or a deadline. A test that
    /// waits until there is one knows when to [`advance`](Self::advance).
    pub fn sleepers(&self) -> usize {
        self.0.lock().sleepers.len()
    }

    /// How long until the first of them wakes; `None` when nobody sleeps.
    pub fn next_wake(&self) -> Option<Duration> {
        let reading = self.0.lock();
        reading.sleepers.keys().next().map(|(at, _)| at.saturating_sub(reading.monotonic))
    }

    /// Sets the wall clock alone, as an operator or NTP does; no time passes.
    pub fn set_utc(&self, utc: SystemTime) {
        self.0.lock().utc = utc;
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn monotonic(&self) -> Duration {
        self.0.lock().monotonic
    }

    fn utc(&self) -> SystemTime {
        self.0.lock().utc
    }

    fn sleep_until(&self, at: Duration) -> Sleep {
        let mut reading = self.0.lock();
        reading.last_sleeper += 1;
        Box::pin(Sleeper { clock: self.clone(), at: (at, reading.last_sleeper) })
    }
}

/// One that sleeps on a [`ManualClock`].
struct Sleeper {
    clock: ManualClock,
    at: (Duration, u64),
}

impl Future for Sleeper {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let waker = context.waker().clone();
        let mut reading = self.clock.0.lock();
        if reading.monotonic >= self.at.0 {
            return Poll::Ready(());
        }
        let known = reading.sleepers.insert(self.at, waker);
        // Whatever drops with a waker may read the clock.
        drop(reading);
        drop(known);
        Poll::Pending
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let waker = self.clock.0.lock().sleepers.remove(&self.at);
        drop(waker);
    }
}

/// Monotonic nanoseconds; a balancer starts at an hour, so that there are ticks for what was before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tick(pub(crate) u64);

impl Tick {
    pub(crate) const ZERO: Self = Self(0);

    #[inline]
    pub(crate) fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// Time from `earlier` to `self`; zero when `earlier` is the later one.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

#[inline]
const fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos() as u64)
}

/// How far ticks reach back before the start of a balancer.
const LEAD: Duration = Duration::from_secs(3600);
const LEAD_NANOS: u64 = nanos(LEAD);

/// One balancer's view of time: ticks for order and cooldowns, and the UTC that belongs to them.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    clock: Arc<dyn Clock>,
    /// The same, if it is the system's: every checkout reads it.
    system: Option<SystemClock>,
    start_monotonic: Duration,
    /// That in nanoseconds.
    start: u64,
    /// The UTC of tick 0.
    origin: SystemTime,
    zone: Zone,
}

impl Timeline {
    pub(crate) fn new(clock: Arc<dyn Clock>, zone: Zone) -> Self {
        let (now, start_monotonic) = (clock.utc(), clock.monotonic());
        let origin = now.checked_sub(LEAD).unwrap_or(now);
        Self { start_monotonic, start: nanos(start_monotonic), origin, clock, system: None, zone }
    }

    /// By the clocks of the operating system.
    pub(crate) fn of_system(clock: SystemClock, zone: Zone) -> Self {
        Self { system: Some(clock), ..Self::new(Arc::new(clock), zone) }
    }

    /// A number that differs between processes that start apart.
    pub(crate) fn seed(&self) -> u64 {
        nanos(self.origin.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
    }

    #[inline]
    pub(crate) fn now(&self) -> Tick {
        self.tick_at(nanos(self.clock.monotonic()))
    }

    /// As [`now`](Self::now), for less: some milliseconds behind it at times. What is free by this is free, and what it
    /// says of a use is well within the guard of a limit's window; who finds nothing free looks again by [`now`](Self::now).
    #[inline]
    pub(crate) fn lately(&self) -> Tick {
        self.tick_at(match self.system {
            Some(system) => system.coarse_nanos(),
            None => nanos(self.clock.monotonic_coarse()),
        })
    }

    #[inline]
    fn tick_at(&self, nanos: u64) -> Tick {
        Tick(nanos.saturating_sub(self.start).saturating_add(LEAD_NANOS))
    }

    /// A future that is ready at `tick`.
    pub(crate) fn sleep_until(&self, tick: Tick) -> Sleep {
        let since_start = Duration::from_nanos(tick.0).saturating_sub(LEAD);
        self.clock.sleep_until(self.start_monotonic.saturating_add(since_start))
    }

    /// The UTC of a tick, as if the wall clock had never been set since the start.
    pub(crate) fn time_of(&self, tick: Tick) -> SystemTime {
        self.origin + Duration::from_nanos(tick.0)
    }

    /// The tick of an instant made by [`time_of`](Self::time_of); instants of before tick 0 become that.
    pub(crate) fn tick_of(&self, time: SystemTime) -> Tick {
        Tick(nanos(time.duration_since(self.origin).unwrap_or_default()))
    }

    /// The first midnight after `now`, by the wall clock, which may have been set since the start.
    pub(crate) fn next_midnight(&self, now: Tick) -> Tick {
        let wall = self.wall();
        let midnight = self.zone.next_midnight(wall.wall_of(self.time_of(now)));
        self.tick_of(wall.time_of_wall(midnight))
    }

    /// The distance between this timeline and the wall clock as it is now.
    pub(crate) fn wall(&self) -> Wall {
        let now = self.now();
        Wall { tick: now, here: self.time_of(now), there: self.clock.utc() }
    }
}

/// Translates between a timeline and the wall clock, which may have been set since the start.
/// Instants keep their distance from now: that is what to store, and how to read it back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wall {
    tick: Tick,
    here: SystemTime,
    there: SystemTime,
}

impl Wall {
    /// What the wall clock shows.
    pub(crate) fn now(self) -> SystemTime {
        self.there
    }

    /// What the wall clock will show (or showed) at `time`, an instant of the timeline.
    pub(crate) fn wall_of(self, time: SystemTime) -> SystemTime {
        shift(time, self.here, self.there)
    }

    /// The instant of the timeline at which the wall clock shows `wall`.
    pub(crate) fn time_of_wall(self, wall: SystemTime) -> SystemTime {
        shift(wall, self.there, self.here)
    }

    /// What the wall clock showed at `tick`, which has passed.
    pub(crate) fn past_wall_of(self, tick: Tick) -> SystemTime {
        self.there.checked_sub(self.tick.since(tick)).unwrap_or(self.there)
    }
}

/// Keeps the distance of `time` from `here` and measures it from `there` instead.
fn shift(time: SystemTime, here: SystemTime, there: SystemTime) -> SystemTime {
    let moved = match time.duration_since(here) {
        Ok(ahead) => there.checked_add(ahead),
        Err(behind) => there.checked_sub(behind.duration()),
    };
    moved.unwrap_or(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_wall_clock_that_jumps_does_not_move_ticks() {
        let clock = ManualClock::new();
        let timeline = Timeline::new(Arc::new(clock.clone()), Zone::default());
        let before = timeline.now();
        clock.set_utc(clock.utc() + 365 * 24 * HOUR);
        assert_eq!(timeline.now(), before);
        clock.advance(HOUR);
        assert_eq!(timeline.now().since(before), HOUR);
    }

    #[test]
    fn stored_instants_keep_their_distance_from_now_when_the_wall_clock_was_set() {
        let clock = ManualClock::new();
        let timeline = Timeline::new(Arc::new(clock.clone()), Zone::default());
        let until = timeline.time_of(timeline.now()) + HOUR;
        clock.set_utc(clock.utc() - 48 * HOUR);
        let stored = timeline.wall().wall_of(until);
        assert_eq!(stored, clock.utc() + HOUR);
        assert_eq!(timeline.wall().time_of_wall(stored), until);
    }

    #[test]
    fn ticks_and_times_convert_both_ways() {
        let timeline = Timeline::new(Arc::new(ManualClock::new()), Zone::default());
        let tick = Tick::ZERO.plus(HOUR);
        assert_eq!(timeline.tick_of(timeline.time_of(tick)), tick);
        assert_eq!(timeline.tick_of(timeline.time_of(Tick::ZERO) - HOUR), Tick::ZERO);
    }
}
