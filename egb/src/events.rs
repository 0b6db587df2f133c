//! What happens to keys, for those who want to watch: `tracing` events with stable names, a channel to
//! subscribe to, and, behind the feature `metrics`, counters and gauges. No key is in any of it.
//!
//! Knows nothing of pools: it is told.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::health::Health;
use crate::key::{Fingerprint, Key};
use crate::others;
use crate::outcome::{Reason, Verdict};
use crate::sync::Mutex;

/// Events that a subscriber may lag behind before it misses some.
const CAPACITY: usize = 1024;

/// A change of a key's state, from [`Balancer::subscribe`](crate::Balancer::subscribe).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// The key's stable name.
    pub fingerprint: Fingerprint,
    /// Its label, if one was configured.
    pub label: Option<String>,
    /// The scope in which it happened; `None` is all calls.
    pub scope: Option<Arc<str>>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// It is out until someone enables it.
    Disabled {
        /// Why; `None` when it was done by hand or in another process.
        reason: Option<Reason>,
    },
    /// It is in use again.
    Enabled,
    /// It rests: for its own sake, or because its group's quota is spent.
    CoolingDown {
        /// How long from now.
        wait: Duration,
        /// Why; `None` when another key or process learned of it.
        reason: Option<Reason>,
    },
    /// Its circuit opened, or stays open: after the rest one call probes it.
    CircuitOpened {
        /// How long from now.
        wait: Duration,
    },
    /// A probe succeeded: it serves again.
    CircuitClosed,
    /// A 429 taught how many requests a minute it serves, or a probe that it is more.
    LimitLearned {
        /// Requests a minute.
        rpm: u32,
    },
    /// It entered the pool.
    Added,
    /// It left the pool.
    Removed,
}

impl EventKind {
    /// The name of the `tracing` event, and of the label in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Disabled { .. } => "key_disabled",
            Self::Enabled => "key_enabled",
            Self::CoolingDown { .. } => "key_cooling_down",
            Self::CircuitOpened { .. } => "circuit_opened",
            Self::CircuitClosed => "circuit_closed",
            Self::LimitLearned { .. } => "limit_learned",
            Self::Added => "key_added",
            Self::Removed => "key_removed",
        }
    }

    /// What turned one health into another at `now`, because of `reason`.
    pub(crate) fn between(
        before: &Health,
        after: &Health,
        reason: Option<Reason>,
        now: std::time::SystemTime,
    ) -> Option<Self> {
        let (was_open, is_open) = (before.past.streaks.circuit, after.past.streaks.circuit);
        let wait = after.cooldown_until.and_then(|until| until.duration_since(now).ok()).unwrap_or_default();
        let is_longer = after.cooldown_until > before.cooldown_until && !wait.is_zero();
        match (before.disabled, after.disabled) {
            (false, true) => Some(Self::Disabled { reason }),
            (true, false) => Some(Self::Enabled),
            (false, false) if is_open > was_open => Some(Self::CircuitOpened { wait }),
            (false, false) if is_longer => Some(Self::CoolingDown { wait, reason }),
            (false, false) if was_open > 0 && is_open == 0 => Some(Self::CircuitClosed),
            _ => None,
        }
    }
}

/// What happened in a pool, to be told once its lock is free.
#[derive(Debug)]
pub(crate) enum News {
    Event(Event),
    /// More than this.
    TooManyScopes(usize),
    #[cfg(feature = "metrics")]
    Gauges(Gauges),
}

/// Where news go, in the order in which they happened.
#[derive(Debug, Default)]
pub(crate) struct Bus {
    channel: OnceLock<broadcast::Sender<Event>>,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    news: VecDeque<News>,
    /// Whether a thread tells them.
    is_told: bool,
}

impl Bus {
    pub(crate) fn subscribe(&self) -> Events {
        Events(self.channel.get_or_init(|| broadcast::Sender::new(CAPACITY)).subscribe())
    }

    /// Queues news, under the lock of the pool: so their order is that in which the pool changed.
    pub(crate) fn post(&self, news: impl IntoIterator<Item = News>) {
        self.queue.lock().news.extend(news);
    }

    /// Tells what is queued; under no lock, as that runs code of others. A thread that finds another one at it leaves
    /// it to that, and so does code that is being told something: to wait for the other would be a deadlock.
    pub(crate) fn tell(&self) {
        if !std::mem::replace(&mut self.queue.lock().is_told, true) {
            others::call_each(std::iter::from_fn(|| self.next()), |news| self.send(news));
        }
    }

    /// The next to be told; without any the telling is over.
    fn next(&self) -> Option<News> {
        let mut queue = self.queue.lock();
        let next = queue.news.pop_front();
        if next.is_none() {
            // With the memory of what may have been a large reload.
            *queue = Queue::default();
        }
        next
    }

    fn send(&self, news: News) {
        match news {
            News::Event(event) => {
                #[cfg(feature = "metrics")]
                metrics::counter!("egb_events_total", "event" => event.kind.name()).increment(1);
                if let Some(sender) = self.channel.get() {
                    // It fails when nobody listens any more.
                    let _ = sender.send(event.clone());
                }
                trace(&event);
            }
            News::TooManyScopes(most) => tracing::warn!(
                target: "egb",
                "more than {most} scopes: calls with further ones are taken for calls without a scope; \
                 a scope is a model or an endpoint, for users and sessions there is `affinity`"
            ),
            #[cfg(feature = "metrics")]
            News::Gauges(gauges) => gauges.set(),
        }
    }
}

/// How many keys there are, and how many of them can't be used, for metrics.
#[cfg(feature = "metrics")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauges {
    pub(crate) keys: usize,
    pub(crate) disabled: usize,
    pub(crate) waiting: usize,
}

#[cfg(feature = "metrics")]
impl Gauges {
    pub(crate) fn set(self) {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 keys")]
        let set = |gauge: metrics::Gauge, count: usize| gauge.set(count as f64);
        set(metrics::gauge!("egb_keys"), self.keys);
        set(metrics::gauge!("egb_keys_disabled"), self.disabled);
        set(metrics::gauge!("egb_keys_waiting"), self.waiting);
    }
}

/// A key was given to a call.
#[inline]
pub(crate) fn checked_out(keys: usize) {
    #[cfg(feature = "metrics")]
    metrics::counter!("egb_checkouts_total").increment(keys as u64);
    tracing::trace!(name: "checked_out", target: "egb", event = "checked_out", keys, "a call got its keys");
}

/// No key could be given to a call.
pub(crate) fn refused() {
    #[cfg(feature = "metrics")]
    metrics::counter!("egb_refusals_total").increment(1);
    tracing::debug!(name: "refused", target: "egb", event = "refused", "a call got no key");
}

/// A call with a key ended.
#[expect(clippy::inline_always, reason = "most callers know the verdict, and so which of these it is")]
#[inline(always)]
pub(crate) fn settled(key: &Key, verdict: &Verdict) {
    // Not looked at unless somebody listens: the text of a key that is not in use is far from the processor.
    let key = || tracing::field::display(key.fingerprint());
    match verdict {
        Verdict::Success => {
            #[cfg(feature = "metrics")]
            metrics::counter!("egb_successes_total").increment(1);
            tracing::trace!(name: "succeeded", target: "egb", event = "succeeded", key = key(), "a call succeeded");
        }
        Verdict::Neutral => {
            tracing::trace!(name: "ended", target: "egb", event = "ended", key = key(), "a call ended and says nothing of its key");
        }
        Verdict::Failure(failure) => {
            let reason = failure.reason().name();
            #[cfg(feature = "metrics")]
            metrics::counter!("egb_failures_total", "reason" => reason).increment(1);
            let (status, seconds) = (failure.status_code(), failure.retry_after().map(|wait| wait.as_secs_f64()));
            tracing::debug!(
                name: "failed", target: "egb", event = "failed", key = key(), reason, status, retry_after = seconds,
                "a call failed"
            );
        }
    }
}

/// Keys files that changed were read again, and the pool is what they say.
pub(crate) fn reloaded(added: usize, removed: usize, changed: usize) {
    #[cfg(feature = "metrics")]
    metrics::counter!("egb_events_total", "event" => "keys_reloaded").increment(1);
    tracing::info!(
        name: "keys_reloaded", target: "egb", event = "keys_reloaded", added, removed, changed,
        "changed keys files were read again"
    );
}

/// Keys files changed and are not taken, for the reason that `error` gives.
pub(crate) fn reload_refused(error: &str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("egb_events_total", "event" => "reload_refused").increment(1);
    tracing::warn!(
        name: "reload_refused", target: "egb", event = "reload_refused", error,
        "a changed keys file is not taken; the keys stay as they were"
    );
}

/// Names and fields are stable: they are what people filter by.
fn trace(event: &Event) {
    let Event { fingerprint: key, label, scope, kind } = event;
    let (label, scope) = (label.as_deref(), scope.as_deref());
    macro_rules! tell {
        ($level:ident, $name:literal, $($field:tt)*) => {
            tracing::event!(name: $name, target: "egb", tracing::Level::$level, event = $name, %key, label, scope, $($field)*)
        };
    }
    match kind {
        EventKind::Disabled { reason } => {
            tell!(WARN, "key_disabled", reason = reason.map(Reason::name), "a key is out until someone enables it");
        }
        EventKind::Enabled => tell!(INFO, "key_enabled", "a key is in use again"),
        EventKind::CoolingDown { wait, reason } => {
            let (seconds, reason) = (wait.as_secs_f64(), reason.map(Reason::name));
            tell!(INFO, "key_cooling_down", reason, seconds, "a key rests");
        }
        EventKind::CircuitOpened { wait } => {
            tell!(WARN, "circuit_opened", seconds = wait.as_secs_f64(), "a key's circuit is open");
        }
        EventKind::CircuitClosed => tell!(INFO, "circuit_closed", "a key's circuit is closed"),
        EventKind::LimitLearned { rpm } => tell!(INFO, "limit_learned", rpm, "a key's requests a minute were learned"),
        EventKind::Added => tell!(DEBUG, "key_added", "a key entered the pool"),
        EventKind::Removed => tell!(INFO, "key_removed", "a key left the pool"),
    }
}

/// The events of one balancer from the moment of [`subscribe`](crate::Balancer::subscribe) on.
pub struct Events(broadcast::Receiver<Event>);

/// Events that a subscriber was too slow for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} events were missed; read them faster, or look at the statistics")]
pub struct Missed(pub u64);

impl Events {
    /// The next event; `None` when the balancer is gone.
    ///
    /// # Errors
    ///
    /// [`Missed`] when more than 1,024 events came since the last look. The next call goes on with those that are left.
    pub async fn next(&mut self) -> Result<Option<Event>, Missed> {
        match self.0.recv().await {
            Ok(event) => Ok(Some(event)),
            Err(RecvError::Closed) => Ok(None),
            Err(RecvError::Lagged(missed)) => Err(Missed(missed)),
        }
    }

    /// The next event if there is one by now; `None` if not.
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next).
    pub fn try_next(&mut self) -> Result<Option<Event>, Missed> {
        match self.0.try_recv() {
            Ok(event) => Ok(Some(event)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => Ok(None),
            Err(TryRecvError::Lagged(missed)) => Err(Missed(missed)),
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("waiting", &self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::outcome::Failure;
    use crate::policy::Policy;

    fn told(verdicts: &[u16]) -> Vec<&'static str> {
        let now = SystemTime::now();
        let mut health = Health::new(1.0);
        let mut names = Vec::new();
        for &status in verdicts {
            let verdict = Verdict::status(status);
            let reason = if let Verdict::Failure(failure) = &verdict { Some(failure.reason()) } else { None };
            let at = health.cooldown_until().map_or(now, |until| until.max(now));
            let next = Policy::default().next(&health, &verdict, at);
            names.extend(EventKind::between(&health, &next, reason, at).map(|kind| kind.name()));
            health = next;
        }
        names
    }

    #[test]
    fn each_change_has_its_name_and_what_changes_nothing_has_none() {
        assert_eq!(told(&[200, 400, 500, 200]), [""; 0]);
        assert_eq!(told(&[429, 200, 401, 401]), ["key_cooling_down", "key_disabled"]);
        assert_eq!(told(&[503, 503, 503, 503, 503, 503, 200]), ["circuit_opened", "circuit_opened", "circuit_closed"]);
        let now = SystemTime::now();
        let out = Policy::default().next(&Health::new(1.0), &Verdict::status(401), now);
        assert_eq!(EventKind::between(&out, &Health::new(1.0), None, now), Some(EventKind::Enabled));
        let rests = Policy::default().next(
            &Health::new(1.0),
            &Verdict::Failure(Failure::status(429).with_retry_after(Duration::from_secs(7))),
            now,
        );
        let kind = EventKind::between(&Health::new(1.0), &rests, Some(Reason::RateLimited), now);
        let wait = Duration::from_secs(7);
        assert_eq!(kind, Some(EventKind::CoolingDown { wait, reason: Some(Reason::RateLimited) }));
    }

    #[test]
    fn a_subscriber_that_is_too_slow_is_told_and_goes_on() {
        let bus = Bus::default();
        let mut events = bus.subscribe();
        let event = |rpm| Event {
            fingerprint: Key::from("k").fingerprint(),
            label: None,
            scope: None,
            kind: EventKind::LimitLearned { rpm },
        };
        assert_eq!(events.try_next(), Ok(None));
        bus.post((0..1_030).map(|rpm| News::Event(event(rpm))));
        bus.tell();
        assert_eq!(events.try_next(), Err(Missed(6)));
        assert_eq!(events.try_next(), Ok(Some(event(6))));
    }
}
