//! A key's health: a value that the policy computes and the pool keeps.

use std::time::SystemTime;

use crate::outcome::Reason;
use crate::policy::LONGEST_WAIT;
use crate::seldom::{Blank, Seldom};

/// The state of one key: its share of traffic, and whether it may be used at all.
///
/// A value without behaviour of its own: [`Policy::next`](crate::Policy::next) computes the next one.
///
/// ```
/// let health = egb::Health::new(2.0);
/// assert_eq!(health.effective_weight(), 2.0);
/// assert!(!health.is_disabled());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// The configured weight.
    pub(crate) weight: f64,
    /// Weight x health factor, kept as one number so that `Policy::classic` is exact to the bit.
    pub(crate) effective: f64,
    pub(crate) disabled: bool,
    pub(crate) cooldown_until: Option<SystemTime>,
    pub(crate) past: Seldom<Past>,
}

/// The failures of a key, which most keys of a large pool do not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) error_count: u64,
    pub(crate) consecutive_errors: u32,
    pub(crate) streaks: Streaks,
    pub(crate) last_failure: Option<LastFailure>,
}

impl Blank for Past {
    const BLANK: &'static Self = &Self {
        error_count: 0,
        consecutive_errors: 0,
        streaks: Streaks { forbidden: 0, throttled: 0, daily: 0, billing: 0, server: 0, circuit: 0 },
        last_failure: None,
    };
}

impl Seldom<Past> {
    /// No failure counts as one in a row any more, but for an open circuit.
    pub(crate) fn end_streaks(&mut self, circuit: u32) {
        if let Some(past) = self.known_mut() {
            past.streaks = Streaks { circuit, ..Streaks::default() };
        }
    }

    pub(crate) fn end_errors_in_a_row(&mut self) {
        if let Some(past) = self.known_mut() {
            past.consecutive_errors = 0;
        }
    }

    /// Takes over a failure, if there is one.
    pub(crate) fn note(&mut self, failure: Option<LastFailure>) {
        if failure.is_some() {
            self.last_failure = failure;
        }
    }
}

/// How often each kind of failure came since the last success: what waits are doubled by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Streaks {
    pub(crate) forbidden: u32,
    pub(crate) throttled: u32,
    pub(crate) daily: u32,
    pub(crate) billing: u32,
    pub(crate) server: u32,
    /// How often the circuit opened; 0 is a closed circuit.
    pub(crate) circuit: u32,
}

/// The failure that a key met last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastFailure {
    /// When it was reported.
    pub at: SystemTime,
    /// Its HTTP status, if there was one.
    pub status: Option<u16>,
    /// Its reason.
    pub reason: Reason,
}

impl Health {
    /// The health of a new key.
    ///
    /// # Panics
    ///
    /// When `weight` is not a finite number above zero.
    pub fn new(weight: f64) -> Self {
        assert!(weight.is_finite() && weight > 0.0, "a weight is a finite number above 0, not {weight}");
        Self { weight, effective: weight, disabled: false, cooldown_until: None, past: Seldom::default() }
    }

    /// The configured weight.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// Weight x health: the share of traffic that the key gets now.
    pub fn effective_weight(&self) -> f64 {
        self.effective
    }

    /// The factor by which failures have shrunk the share; 1.0 is full health.
    pub fn factor(&self) -> f64 {
        self.effective / self.weight
    }

    /// Whether the key is out until someone enables it.
    pub fn is_disabled(&self) -> bool {
        self.disabled
    }

    /// The instant until which the key rests. It may lie in the past.
    pub fn cooldown_until(&self) -> Option<SystemTime> {
        self.cooldown_until
    }

    /// Whether the key rests at `now`.
    pub fn is_cooling(&self, now: SystemTime) -> bool {
        self.cooldown_until.is_some_and(|until| until > now)
    }

    /// Whether the key's circuit was opened by server failures and its rest is over: it gets one
    /// call as a probe before it serves again.
    pub fn is_half_open(&self, now: SystemTime) -> bool {
        self.past.streaks.circuit > 0 && !self.is_cooling(now)
    }

    /// Failures since the last success.
    pub fn consecutive_errors(&self) -> u32 {
        self.past.consecutive_errors
    }

    /// Failures altogether.
    pub fn error_count(&self) -> u64 {
        self.past.error_count
    }

    /// The failure that the key met last.
    pub fn last_failure(&self) -> Option<LastFailure> {
        self.past.last_failure
    }

    /// Whether nothing is held against the key: its full share, at once.
    pub(crate) fn is_full(&self, now: SystemTime) -> bool {
        !self.disabled
            && self.effective >= self.weight
            && self.past.streaks == Streaks::default()
            && !self.is_cooling(now)
    }

    /// Changes the configured weight and keeps the health factor.
    pub(crate) fn set_weight(&mut self, weight: f64) {
        if weight.to_bits() != self.weight.to_bits() {
            self.effective = weight * self.factor();
            self.weight = weight;
        }
    }

    /// The health of a key that an operator enables: usable now, with the share that it had.
    pub(crate) fn enabled(&self) -> Self {
        let mut enabled = Self { disabled: false, cooldown_until: None, ..self.clone() };
        enabled.past.end_errors_in_a_row();
        enabled.past.end_streaks(0);
        enabled
    }

    /// The same health with its instants translated to another reckoning of time.
    pub(crate) fn moved(&self, translate: impl Fn(SystemTime) -> SystemTime) -> Self {
        let mut moved = Self { cooldown_until: self.cooldown_until.map(&translate), ..self.clone() };
        moved.past.note(self.past.last_failure.map(|last| LastFailure { at: translate(last.at), ..last }));
        moved
    }

    /// The health that was stored, read back at `now`. A cooldown lasts no longer than it was meant
    /// to from the failure on: the wall clock may have been set back meanwhile.
    pub(crate) fn restored(mut self, now: SystemTime) -> Self {
        if let Some(until) = self.cooldown_until {
            let meant =
                self.past.last_failure.and_then(|last| until.duration_since(last.at).ok()).unwrap_or(LONGEST_WAIT);
            self.cooldown_until = Some(until.min(now + meant.min(LONGEST_WAIT)));
        }
        self
    }
}
