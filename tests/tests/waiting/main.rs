//! Those who wait for a key: in which order they are served, who is woken, and what becomes of those who give up.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::time::Duration;

use egb::{Balancer, Error, KeyConfig, ManualClock, Reason, StatusCode};
use parking_lot::Mutex;

mod any_order;
mod thousands;
mod turns;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
enum ApiError {
    #[error("this key has no such model")]
    NoSuchModel,
    #[error(transparent)]
    Balance(#[from] Error),
}

impl StatusCode for ApiError {
    fn status_code(&self) -> Option<u16> {
        None
    }
    fn reason(&self) -> Option<Reason> {
        match self {
            Self::NoSuchModel => Some(Reason::Model),
            Self::Balance(error) => error.reason(),
        }
    }
}

struct Bench {
    balancer: Balancer,
    clock: ManualClock,
}

impl Bench {
    fn new(keys: impl IntoIterator<Item = KeyConfig>) -> Self {
        let clock = ManualClock::new();
        let builder = Balancer::builder().clock(clock.clone()).learn_limits(false);
        let builder = keys.into_iter().fold(builder, egb::BalancerBuilder::key);
        Self { balancer: builder.build().unwrap(), clock }
    }
}

fn keys(count: usize) -> impl Iterator<Item = KeyConfig> {
    (0..count).map(|n| KeyConfig::new(format!("test-key-{n}")))
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<(), ApiError>> + 'a>>;

/// An executor that polls who was woken last, so that the order in which callers are served is the pool's alone.
#[derive(Default)]
struct Callers<'a> {
    running: Vec<Option<Running<'a>>>,
    woken: Arc<Mutex<Vec<usize>>>,
    polls: usize,
    failed: Vec<usize>,
}

struct Caller {
    number: usize,
    woken: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.woken.lock().push(self.number);
    }
}

impl<'a> Callers<'a> {
    fn start(&mut self, caller: Running<'a>) {
        self.running.push(Some(caller));
        self.poll(self.running.len() - 1);
    }

    fn poll(&mut self, number: usize) {
        let waker = Arc::new(Caller { number, woken: Arc::clone(&self.woken) }).into();
        let Some(running) = &mut self.running[number] else { return };
        self.polls += 1;
        if let Poll::Ready(result) = running.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.running[number] = None;
            if result.is_err() {
                self.failed.push(number);
            }
        }
    }

    /// Polls one that was woken; false when there is none.
    fn step(&mut self) -> bool {
        let next = self.woken.lock().pop();
        next.map(|number| self.poll(number)).is_some()
    }

    fn give_up(&mut self, number: usize) -> bool {
        self.running[number].take().is_some()
    }

    fn all_are_done(&self) -> bool {
        self.running.iter().all(Option::is_none)
    }
}
