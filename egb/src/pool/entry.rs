//! One key in the pool: all that is known of it, behind the pool's lock.

use std::borrow::Cow;
use std::time::SystemTime;

use super::condition::{Condition, Scoped, is_of_the_key, taken_over, within_scope};
use super::gauge;
use super::history::{History, Notes};
use super::lanes::{NO_SCOPE, ScopeId};
use super::last_use::LastUse;
use super::quota::GroupId;
use super::slot::{SharedSlot, Slot};
use super::traits::Traits;
use crate::clock::{Tick, Timeline, Wall};
use crate::config::{KeyConfig, SharedTerms};
use crate::health::{Health, LastFailure};
use crate::limits::Budget;
use crate::outcome::{Failure, Reason, Verdict};
use crate::policy::Policy;
use crate::seldom::Seldom;
use crate::store::Record;

/// As small as can be, as a large pool is not in the processor's cache: what few keys have is in the history, and calls
/// are counted in the slot.
pub(super) struct Entry {
    pub(super) slot: SharedSlot,
    /// What it used of its limits, if it is in no group.
    pub(super) budget: Budget,
    pub(super) last_use: LastUse,
    pub(super) terms: SharedTerms,
    pub(super) history: Seldom<History>,
    /// Its place among the keys as given.
    pub(super) position: u32,
    pub(super) traits: Traits,
}

/// What stays of a key that was removed: its running calls, and what it used of its limits.
#[derive(Default)]
pub(super) struct Remains {
    pub(super) slots: Vec<SharedSlot>,
    pub(super) budget: Budget,
}

impl Remains {
    /// Whether they would matter if the key came back.
    pub(super) fn matter(&self, now: Tick) -> bool {
        gauge::running(&self.slots, NO_SCOPE) > 0 || self.budget.is_used(now)
    }
}

impl Entry {
    pub(super) fn refresh_serene(&self, policy: &Policy) {
        let is_watched = self.traits.is_watched();
        let serene = self.history.notes.scoped.is_empty() && !is_watched && self.main().is_serene(policy);
        self.slot.set_serene(serene);
    }

    /// Whether a checkout changes nothing but counts, and no other key.
    #[inline]
    pub(super) fn is_at_rest(&self) -> bool {
        self.slot.is_serene() && self.traits.group().is_none()
    }

    /// The condition for all calls.
    #[inline]
    pub(super) fn main(&self) -> Cow<'_, Condition> {
        self.history.main.as_deref().map_or_else(|| Cow::Owned(Condition::new(self.new_health())), Cow::Borrowed)
    }

    /// That of a new key.
    pub(super) fn new_health(&self) -> Health {
        Health::new(self.terms.weight)
    }

    /// The condition for all calls, for a change that would be none in that of a new key.
    pub(super) fn known_main_mut(&mut self) -> Option<&mut Condition> {
        self.history.known_mut().and_then(|history| history.main.as_deref_mut())
    }

    pub(super) fn set_main(&mut self, condition: Condition) {
        if let Some(main) = self.known_main_mut() {
            *main = condition;
        } else if condition != Condition::new(self.new_health()) {
            self.history.main = Some(Box::new(condition));
        }
    }

    /// Changes the condition for all calls.
    pub(super) fn change_main<R>(&mut self, change: impl FnOnce(&mut Condition) -> R) -> R {
        if let Some(main) = self.known_main_mut() {
            return change(main);
        }
        let mut main = Condition::new(self.new_health());
        let result = change(&mut main);
        self.set_main(main);
        result
    }

    /// What few keys have, for a change that would be none in its absence.
    pub(super) fn notes_mut(&mut self) -> Option<&mut Notes> {
        self.history.known_mut().and_then(|history| history.notes.known_mut())
    }

    /// No success is implied by the fetches so far.
    pub(super) fn forget_fetches(&mut self) {
        if let Some(notes) = self.notes_mut() {
            notes.auto.forget();
        }
    }

    /// The condition for the calls of a scope alone, if it is anything but full health.
    #[inline]
    pub(super) fn within(&self, scope: ScopeId) -> Option<&Condition> {
        self.history.notes.scoped.iter().find(|scoped| scoped.scope == scope).map(|scoped| &scoped.condition)
    }

    #[inline]
    pub(super) fn within_mut(&mut self, scope: ScopeId) -> Option<&mut Scoped> {
        self.scoped_mut().iter_mut().find(|scoped| scoped.scope == scope)
    }

    /// The conditions for the calls of single scopes.
    pub(super) fn scoped_mut(&mut self) -> &mut [Scoped] {
        self.notes_mut().map_or(&mut [], |notes| &mut notes.scoped)
    }

    /// As [`within_mut`](Self::within_mut), made if there is none.
    pub(super) fn within_or_new(&mut self, scope: ScopeId) -> &mut Scoped {
        let health = self.new_health();
        let scoped = &mut self.history.notes.scoped;
        let at = scoped.iter().position(|scoped| scoped.scope == scope).unwrap_or_else(|| {
            let condition = Condition::new(health);
            scoped.push(Scoped { scope, condition, dirty: false });
            scoped.len() - 1
        });
        &mut scoped[at]
    }

    /// Forgets conditions that are full health again and that no store waits for.
    pub(super) fn forget_recovered(&mut self, now: SystemTime) {
        let matters = |scoped: &Scoped| {
            scoped.dirty || scoped.condition.rest.probe.is_some() || !scoped.condition.health.is_full(now)
        };
        if let Some(notes) = self.notes_mut() {
            notes.scoped.retain(matters);
        }
    }

    /// The share of traffic among the calls of a scope.
    pub(super) fn weight_within(&self, scope: ScopeId) -> f64 {
        let effective = self.main().health.effective;
        self.within(scope).map_or(effective, |condition| effective * condition.health.factor())
    }

    /// The health that failures in a scope change.
    pub(super) fn health_within(&self, scope: ScopeId) -> Health {
        if scope == NO_SCOPE {
            return self.main().health.clone();
        }
        self.within(scope).map_or_else(|| self.new_health(), |condition| condition.health.clone())
    }

    /// Shows a failure that is not held against the key.
    pub(super) fn note(&mut self, failure: &Failure, at: SystemTime) {
        self.change_main(|main| {
            let past = &mut *main.health.past;
            past.error_count = past.error_count.saturating_add(1);
            past.last_failure = Some(LastFailure { at, status: failure.status_code(), reason: failure.reason() });
        });
        self.traits.set_changed(true);
    }

    /// How long a verdict makes the keys of its group wait, and for which calls; whatever else the key itself waits for.
    pub(super) fn rest_of_group(
        &self,
        policy: &Policy,
        scope: ScopeId,
        verdict: &Verdict,
        (serial, latest): (u64, u64),
        time: SystemTime,
    ) -> Option<(ScopeId, SystemTime)> {
        let Verdict::Failure(failure) = verdict else { return None };
        self.traits.group()?;
        let scope = match failure.reason() {
            Reason::RateLimited | Reason::DailyQuota => scope,
            Reason::Billing => NO_SCOPE,
            _ => return None,
        };
        let mut condition = if scope == NO_SCOPE {
            self.main().into_owned()
        } else {
            self.within(scope).cloned().unwrap_or_else(|| Condition::new(self.new_health()))
        };
        condition.health.cooldown_until = None;
        condition.judge(policy, verdict, serial, latest, time);
        condition.health.cooldown_until.map(|until| (scope, until))
    }

    /// Takes a verdict that checkout `serial` gave.
    pub(super) fn judge(
        &mut self,
        policy: &Policy,
        scope: ScopeId,
        verdict: &Verdict,
        (serial, latest): (u64, u64),
        time: SystemTime,
    ) {
        match verdict {
            Verdict::Failure(failure) if scope != NO_SCOPE && !is_of_the_key(failure.reason()) => {
                let scoped = self.within_or_new(scope);
                scoped.condition.judge(policy, &within_scope(verdict), serial, latest, time);
                // It is out for this scope as long as that lasts, and never for good.
                scoped.condition.health.disabled = false;
                scoped.dirty = true;
            }
            _ => {
                if self.change_main(|main| main.judge(policy, verdict, serial, latest, time)) {
                    self.traits.set_changed(true);
                }
                if let Some(scoped) = self.within_mut(scope) {
                    scoped.condition.judge(policy, verdict, serial, latest, time);
                    scoped.dirty = true;
                }
            }
        }
        if matches!(verdict, Verdict::Failure(_)) {
            self.forget_fetches();
        }
        self.refresh_serene(policy);
    }

    /// The first instant at which the key's condition allows a call of this scope; its limits aside.
    pub(super) fn ready_within(&self, scope: ScopeId, timeline: &Timeline) -> Tick {
        let within = self.within(scope).map_or(Tick::ZERO, |condition| condition.ready_at(timeline));
        self.main().ready_at(timeline).max(within)
    }

    /// Rests until an instant at the least, for the calls of a scope or for all. Returns whether that is news.
    pub(super) fn rest(&mut self, scope: ScopeId, until: SystemTime, latest: u64, policy: &Policy) -> bool {
        let is_news = if scope == NO_SCOPE {
            let is_news = self.change_main(|main| main.rest(until, latest));
            if is_news {
                self.traits.set_changed(true);
            }
            is_news
        } else {
            let scoped = self.within_or_new(scope);
            scoped.dirty = true;
            scoped.condition.rest(until, latest)
        };
        self.refresh_serene(policy);
        is_news
    }

    pub(super) fn new(slot: Slot, position: u32, config: KeyConfig, group: Option<GroupId>, remains: Remains) -> Self {
        let Remains { slots, budget } = remains;
        let mut traits = Traits::default();
        traits.set_group(group);
        let mut entry = Self {
            slot: SharedSlot::new(slot),
            budget,
            last_use: LastUse::default(),
            terms: config.terms,
            history: Seldom::default(),
            position,
            traits,
        };
        slots.into_iter().for_each(|slot| entry.note_earlier(slot));
        entry
    }

    /// Calls may hold a slot that was its own.
    fn note_earlier(&mut self, slot: SharedSlot) {
        if slot.running() > 0 {
            self.history.notes.earlier.push(slot);
        }
    }

    /// Where its calls are counted: those that hold its slot, and those that began before it had that.
    pub(super) fn slots(&self) -> impl Iterator<Item = &SharedSlot> {
        std::iter::once(&self.slot).chain(&self.history.notes.earlier)
    }

    /// Its calls that run.
    pub(super) fn running(&self) -> u32 {
        gauge::running(self.slots(), NO_SCOPE)
    }

    /// What stays of it when it is removed.
    pub(super) fn into_remains(mut self) -> Remains {
        let earlier = self.notes_mut().map(|notes| std::mem::take(&mut notes.earlier));
        let mut slots = earlier.unwrap_or_default();
        slots.push(self.slot);
        Remains { slots, budget: self.budget }
    }

    /// Whether it has these settings.
    pub(super) fn is_configured_as(&self, config: &KeyConfig) -> bool {
        self.terms == config.terms
    }

    /// Goes on with what the store knows.
    pub(super) fn restore(&mut self, record: &Record, policy: &Policy, wall: Wall, time: SystemTime) {
        let health = taken_over(record, self.terms.weight, policy, wall, time);
        let rest = Seldom::stored(record.state.health.cooldown_until);
        self.set_main(Condition { rest, ..Condition::new(health) });
        self.set_stored(record.counters);
        self.set_epoch(record.state.epoch);
        self.last_use = LastUse::stored(record.state.last_used);
    }

    pub(super) fn set_epoch(&mut self, epoch: u64) {
        if epoch != self.history.epoch {
            self.history.epoch = epoch;
        }
    }

    /// Another process used it.
    pub(super) fn saw_use(&mut self, record: &Record) {
        self.last_use = self.last_use.max(LastUse::stored(record.state.last_used));
    }

    /// Goes on in a new slot, whose calls are counted elsewhere; those that hold the old one end there.
    pub(super) fn move_to(&mut self, slot: Slot) {
        self.count_calls();
        let old = std::mem::replace(&mut self.slot, SharedSlot::new(slot));
        old.depart();
        if let Some(history) = self.history.known_mut() {
            history.counted = 0;
        }
        if old.is_dirty() {
            self.slot.set_dirty();
        }
        self.count_successes(old.take_successes());
        self.note_earlier(old);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Weak};

    use super::*;
    use crate::key::Key;
    use crate::pool::Home;
    use crate::pool::slot::Ties;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn an_entry_is_three_quarters_of_a_cache_line() {
        assert_eq!(size_of::<Option<Entry>>(), 48);
    }

    #[test]
    fn what_changes_nothing_takes_no_room() {
        let slot = Slot::new(0, Key::from("test-key"), Arc::new(Ties::alone(Arc::new(Home::new(Weak::new(), false)))));
        let mut entry = Entry::new(slot, 0, KeyConfig::new("test-key").weight(2.5), None, Remains::default());
        entry.begin(NO_SCOPE, true);
        entry.count(&Verdict::Success);
        entry.judge(&Policy::default(), NO_SCOPE, &Verdict::Success, (1, 1), SystemTime::UNIX_EPOCH);
        entry.forget_recovered(SystemTime::UNIX_EPOCH);
        entry.set_epoch(0);
        assert!(entry.history.known_mut().is_none());
        assert_eq!(entry.main().health, Health::new(2.5));
        entry.judge(
            &Policy::default(),
            NO_SCOPE,
            &Verdict::Failure(Failure::status(429)),
            (1, 1),
            SystemTime::UNIX_EPOCH,
        );
        assert!(entry.known_main_mut().is_some() && entry.traits.is_changed());
    }
}
