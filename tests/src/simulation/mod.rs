//! Many keys with a limit a minute, callers that come at random, and time that passes at once: how often
//! does a way of choosing keys meet a 429, and how many calls does it lose? All ways get the same callers.
//!
//! ```
//! use std::time::Duration;
//! use egb_tests::simulation::{Contender, Setting, Windows, run};
//!
//! let setting = Setting { limits: vec![10; 5], windows: Windows::Sliding, load: 0.5, length: Duration::from_secs(300) };
//! let outcome = run(&setting, Contender::EgbGiven, 1);
//! assert_eq!(outcome.first_try_429s, 0);
//! assert!(outcome.calls > 80);
//! ```

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, UNIX_EPOCH};

use egb::{Clock as _, ManualClock};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use self::contenders::Caller;
pub use self::contenders::Contender;
use self::server::Server;
pub use self::server::Windows;

mod contenders;
mod server;

/// What happens before it is not counted: who knows no limit has to learn.
pub const WARM_UP: Duration = Duration::from_secs(60);

/// Further attempts of a call, each with another key if there is one.
pub const RETRIES: u32 = 2;

/// What is simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Requests a minute of each key.
    pub limits: Vec<u32>,
    /// How the server counts minutes.
    pub windows: Windows,
    /// Calls, as a part of what all keys can serve together.
    pub load: f64,
    /// How long, the warm-up included.
    pub length: Duration,
}

/// What came of it, after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Calls that were made.
    pub calls: u64,
    /// Those whose first attempt met a 429.
    pub first_try_429s: u64,
    /// Those that failed for their callers: no key was free, or all attempts met a 429.
    pub lost: u64,
}

impl Outcome {
    /// First tries that met a 429, in percent.
    pub fn percent_429(&self) -> f64 {
        percent(self.first_try_429s, self.calls)
    }

    /// Calls lost, in percent.
    pub fn percent_lost(&self) -> f64 {
        percent(self.lost, self.calls)
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 calls")]
fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// One table: kinds of keys, a way to count, and all contenders at several loads.
#[derive(Clone, Debug)]
pub struct Table {
    /// What is simulated.
    pub title: String,
    /// By contender, and by load as in [`LOADS`].
    pub rows: Vec<(Contender, Vec<Outcome>)>,
    /// What nobody can avoid.
    pub theory: Vec<Outcome>,
}

/// Parts of what all keys can serve.
pub const LOADS: [f64; 4] = [0.80, 0.95, 0.99, 1.05];

/// Runs all contenders for so long, with equal and mixed limits, sliding and fixed windows.
pub fn tables(length: Duration, seed: u64) -> impl Iterator<Item = Table> {
    let mixed: Vec<u32> = [5, 10, 60].into_iter().cycle().take(50).collect();
    let kinds = [("50 keys, each 10 a minute", vec![10; 50]), ("50 keys, 5, 10 or 60 a minute", mixed)];
    let counts = [(Windows::Sliding, "any 60 seconds"), (Windows::Fixed, "full minutes")];
    let all = counts.into_iter().flat_map(move |counts| kinds.clone().map(|kind| (counts, kind)));
    all.map(move |((windows, counted), (name, limits))| {
        let settings = LOADS.map(|load| Setting { limits: limits.clone(), windows, load, length });
        let row = |contender| (contender, settings.iter().map(|setting| run(setting, contender, seed)).collect());
        Table {
            title: format!("{name}; the server counts {counted}"),
            rows: Contender::ALL.map(row).into(),
            theory: settings.iter().map(|setting| pooled(setting, seed)).collect(),
        }
    })
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        let rows = self.rows.iter().map(|(contender, outcomes)| (contender.name(), outcomes));
        for (name, outcomes) in rows.chain([("theory (pooled queue)", &self.theory)]) {
            write!(f, "  {name:<22}")?;
            for outcome in outcomes {
                write!(f, " {:6.2} /{:6.2}", outcome.percent_429(), outcome.percent_lost())?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// A pseudorandom generator that is the same everywhere (`SplitMix64`).
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// In (0, 1).
    fn fraction(&mut self) -> f64 {
        let bits = u32::try_from(self.next() >> 32).unwrap_or_default();
        (f64::from(bits) + 0.5) / 2_f64.powi(32)
    }

    fn between(&mut self, shortest: Duration, longest: Duration) -> Duration {
        shortest + longest.saturating_sub(shortest).mul_f64(self.fraction())
    }
}

/// What all calls of a run share.
struct World {
    clock: ManualClock,
    server: RefCell<Server>,
    seed: u64,
}

/// The server's answer to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Ok,
    TooMany { retry_after: Duration },
}

/// One call and its attempts.
struct Call<'w> {
    world: &'w World,
    number: u64,
    attempts: Cell<u32>,
    first_was_refused: Cell<bool>,
}

impl Call<'_> {
    /// Sends a request: it takes 20 to 200 ms to get there, and the answer comes within a second.
    async fn send(&self, key: usize) -> Answer {
        let attempt = self.attempts.replace(self.attempts.get() + 1);
        // The same for all contenders.
        let mut random = Random(self.world.seed ^ (self.number << 8) ^ u64::from(attempt));
        let there = random.between(Duration::from_millis(20), Duration::from_millis(200));
        let back = random.between(Duration::from_millis(100), Duration::from_millis(800));
        self.sleep(there).await;
        let answer = self.world.server.borrow_mut().request(key, self.world.clock.monotonic());
        self.sleep(back).await;
        if attempt == 0 {
            self.first_was_refused.set(answer != Answer::Ok);
        }
        answer
    }

    async fn sleep(&self, time: Duration) {
        let clock = &self.world.clock;
        clock.sleep_until(clock.monotonic() + time).await;
    }
}

/// Instants at which calls are made: as many independent callers make them (a Poisson process).
fn arrivals(setting: &Setting, seed: u64) -> Vec<Duration> {
    let mut random = Random(seed);
    let per_minute = f64::from(setting.limits.iter().sum::<u32>()) * setting.load;
    let mean_gap = Duration::from_secs(60).div_f64(per_minute);
    let mut at = Duration::ZERO;
    let next = std::iter::from_fn(move || {
        at += mean_gap.mul_f64(-random.fraction().ln());
        Some(at)
    });
    next.take_while(|at| *at < setting.length).collect()
}

/// A call: whether it counts, whether its first try met a 429, whether it was lost.
type Running<'a> = Pin<Box<dyn Future<Output = (bool, bool, bool)> + 'a>>;

/// Runs one contender.
pub fn run(setting: &Setting, contender: Contender, seed: u64) -> Outcome {
    let clock = ManualClock::at(UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    let server = RefCell::new(Server::new(setting.limits.clone(), setting.windows));
    let world = World { clock: clock.clone(), server, seed };
    let caller = Caller::new(contender, setting, &clock, seed);
    let mut outcome = Outcome::default();
    let mut running: FuturesUnordered<Running<'_>> = FuturesUnordered::new();
    let mut context = Context::from_waker(Waker::noop());
    let mut arrivals = arrivals(setting, seed).into_iter().zip(0..).peekable();
    loop {
        while let Poll::Ready(Some((counts, was_refused, is_lost))) = running.poll_next_unpin(&mut context) {
            outcome.calls += u64::from(counts);
            outcome.first_try_429s += u64::from(counts && was_refused);
            outcome.lost += u64::from(counts && is_lost);
        }
        let now = clock.monotonic();
        let arrival = arrivals.peek().map(|(at, _)| at.saturating_sub(now));
        let Some(step) = arrival.into_iter().chain(clock.next_wake()).min() else { return outcome };
        clock.advance(step);
        if let Some((at, number)) = arrivals.next_if(|(at, _)| *at <= clock.monotonic()) {
            let (world, caller) = (&world, &caller);
            running.push(Box::pin(async move {
                let call = Call { world, number, attempts: Cell::new(0), first_was_refused: Cell::new(false) };
                let is_served = caller.call(&call).await;
                (at >= WARM_UP, call.first_was_refused.get(), !is_served)
            }));
        }
    }
}

/// What nobody can avoid: calls lost when all limits are one, and known, and a call is made only if it is
/// certain to be within it, whichever of the calls takes longest to arrive.
pub fn pooled(setting: &Setting, seed: u64) -> Outcome {
    // The time that requests take differs by so much.
    let window = Duration::from_secs(60) + Duration::from_millis(180);
    let mut pool = Server::pooled(setting.limits.iter().sum(), window);
    let mut outcome = Outcome::default();
    for at in arrivals(setting, seed) {
        let is_lost = pool.request(0, at) != Answer::Ok;
        outcome.calls += u64::from(at >= WARM_UP);
        outcome.lost += u64::from(at >= WARM_UP && is_lost);
    }
    outcome
}
