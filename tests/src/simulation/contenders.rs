//! Ways to choose the key for a call.

use std::cell::RefCell;
use std::time::Duration;

use egb::{Balancer, Clock as _, Key, KeyConfig, ManualClock, StatusCode, balanced};

use super::{Answer, Call, RETRIES, Random, Setting};

/// A way to choose keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// egb, with the limits of the keys given.
    EgbGiven,
    /// egb, which learns the limits.
    EgbLearned,
    /// egb without limits.
    EgbNone,
    /// Weighted random, with weights that a 429 shrinks: the Python original.
    WeightedRandom,
    /// Round robin, with a cooldown after a 429: most gateways.
    RoundRobin,
}

impl Contender {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::EgbGiven, Self::EgbLearned, Self::EgbNone, Self::WeightedRandom, Self::RoundRobin];

    /// What a table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::EgbGiven => "egb, limits given",
            Self::EgbLearned => "egb, limits learned",
            Self::EgbNone => "egb, no limits",
            Self::WeightedRandom => "weighted random",
            Self::RoundRobin => "round robin + cooldown",
        }
    }
}

/// A contender at work.
pub(super) enum Caller {
    Egb(Box<Balancer>),
    WeightedRandom(RefCell<(Random, Vec<f64>)>),
    RoundRobin(RefCell<RoundRobin>),
}

/// The next key, and when each comes back.
pub(super) struct RoundRobin {
    next: usize,
    until: Vec<Duration>,
}

impl Caller {
    pub(super) fn new(contender: Contender, setting: &Setting, clock: &ManualClock, seed: u64) -> Self {
        let keys = setting.limits.len();
        let egb = |learn: bool, given: bool| {
            let config = |(n, &limit): (usize, &u32)| {
                let key = KeyConfig::new(format!("simulated-key-{n}"));
                if given { key.rpm(limit) } else { key }
            };
            let builder = Balancer::builder().clock(clock.clone()).seed(seed).learn_limits(learn);
            let builder = setting.limits.iter().enumerate().map(config).fold(builder, egb::BalancerBuilder::key);
            Self::Egb(Box::new(builder.build().expect("the keys are good")))
        };
        match contender {
            Contender::EgbGiven => egb(false, true),
            Contender::EgbLearned => egb(true, false),
            Contender::EgbNone => egb(false, false),
            Contender::WeightedRandom => Self::WeightedRandom(RefCell::new((Random(!seed), vec![1.0; keys]))),
            Contender::RoundRobin => {
                Self::RoundRobin(RefCell::new(RoundRobin { next: 0, until: vec![Duration::ZERO; keys] }))
            }
        }
    }

    /// Makes a call, and says whether it was served.
    pub(super) async fn call(&self, call: &Call<'_>) -> bool {
        if let Self::Egb(balancer) = self {
            return balanced_call(balancer, call).await.is_ok();
        }
        let mut tried = Vec::new();
        for _ in 0..=RETRIES {
            let Some(key) = self.pick(call, &tried) else { return false };
            let answer = call.send(key).await;
            self.report(call, key, answer);
            if answer == Answer::Ok {
                return true;
            }
            tried.push(key);
        }
        false
    }

    fn pick(&self, call: &Call<'_>, tried: &[usize]) -> Option<usize> {
        match self {
            Self::Egb(_) => None,
            Self::WeightedRandom(state) => {
                let (random, weights) = &mut *state.borrow_mut();
                let weight = |key: usize| if tried.contains(&key) { 0.0 } else { weights[key] };
                let mut point = random.fraction() * (0..weights.len()).map(weight).sum::<f64>();
                let found = (0..weights.len()).find(|&key| {
                    point -= weight(key);
                    point < 0.0
                });
                found.or_else(|| (0..weights.len()).find(|key| !tried.contains(key)))
            }
            Self::RoundRobin(state) => {
                let RoundRobin { next, until } = &mut *state.borrow_mut();
                let now = call.world.clock.monotonic();
                let keys = until.len();
                let order = (0..keys).map(|step| (*next + step) % keys);
                let key = order.into_iter().find(|&key| until[key] <= now && !tried.contains(&key))?;
                *next = key + 1;
                Some(key)
            }
        }
    }

    fn report(&self, call: &Call<'_>, key: usize, answer: Answer) {
        match (self, answer) {
            (Self::WeightedRandom(state), answer) => {
                let weight = &mut state.borrow_mut().1[key];
                *weight = match answer {
                    Answer::Ok => (*weight * 1.1).min(10.0),
                    Answer::TooMany { .. } => (*weight * 0.8).max(0.1),
                };
            }
            (Self::RoundRobin(state), Answer::TooMany { retry_after }) => {
                state.borrow_mut().until[key] = call.world.clock.monotonic() + retry_after;
            }
            _ => {}
        }
    }
}

#[derive(Debug)]
struct Failed(Option<Duration>);

impl StatusCode for Failed {
    fn status_code(&self) -> Option<u16> {
        self.0.map(|_| 429)
    }
    fn retry_after(&self) -> Option<Duration> {
        self.0
    }
    fn reason(&self) -> Option<egb::Reason> {
        if self.0.is_none() { Some(egb::Reason::Balancer) } else { None }
    }
}

impl From<egb::Error> for Failed {
    fn from(_: egb::Error) -> Self {
        Self(None)
    }
}

#[balanced(balancer = balancer, retries = RETRIES)]
async fn balanced_call(key: &Key, balancer: &Balancer, call: &Call<'_>) -> Result<(), Failed> {
    let number = key.expose_secret().rsplit('-').next().and_then(|number| number.parse().ok());
    match call.send(number.expect("keys end in a number")).await {
        Answer::Ok => Ok(()),
        Answer::TooMany { retry_after } => Err(Failed(Some(retry_after))),
    }
}
