//! One row of the table `keys` to and from Rust values. Nothing a row can hold makes it fail or panic:
//! what makes no sense is repaired to a safe value. Knows nothing of files or transactions.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Row, params};

use super::{Change, Counters, Record, SharedState};
use crate::health::{Health, LastFailure, Past, Streaks};
use crate::key::Fingerprint;
use crate::outcome::Reason;

/// The weight of a key whose row has none that makes sense.
const DEFAULT_WEIGHT: f64 = 1.0;

/// Writes a change with the statement [`UPSERT`](super::schema::UPSERT).
pub(super) fn write(
    statement: &mut CachedStatement<'_>,
    change: &Change,
    now: SystemTime,
    revision: i64,
) -> rusqlite::Result<()> {
    let SharedState { health, epoch, last_used } = &change.state;
    let (weight, effective) = sane_weights(health.weight, health.effective);
    let failure = health.past.last_failure.as_ref();
    statement.execute(params![
        change.fingerprint.as_bytes(),
        change.scope.as_deref().unwrap_or_default(),
        weight,
        effective,
        health.disabled,
        health.cooldown_until.map(to_micros),
        to_i64(health.past.error_count),
        health.past.consecutive_errors,
        health.past.streaks.forbidden,
        health.past.streaks.throttled,
        health.past.streaks.daily,
        health.past.streaks.billing,
        health.past.streaks.server,
        health.past.streaks.circuit,
        failure.map(|last| to_micros(last.at)),
        failure.and_then(|last| last.status),
        failure.map(|last| last.reason.name()),
        to_i64(*epoch),
        last_used.map(to_micros),
        change.added.calls,
        change.added.begun,
        change.added.successes,
        change.added.failures,
        change.added.throttled,
        to_micros(now),
        revision,
        change.is_news,
    ])?;
    Ok(())
}

/// The key that a cell names.
pub(super) fn fingerprint(cell: ValueRef<'_>) -> Option<Fingerprint> {
    match cell {
        ValueRef::Blob(bytes) => bytes.try_into().ok().map(Fingerprint::from_bytes),
        _ => None,
    }
}

/// The scope that a cell names; the empty one is all calls.
pub(super) fn scope(cell: ValueRef<'_>) -> Option<Arc<str>> {
    cell.as_str().ok().filter(|name| !name.is_empty()).map(Arc::from)
}

/// Reads records, and counts what had to be repaired.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) repaired: usize,
}

impl Reader {
    /// The record in `row`, which has the columns of `schema.rs` in their order. `None` when it does
    /// not even name a key.
    pub(super) fn record(&mut self, row: &Row<'_>) -> rusqlite::Result<Option<Record>> {
        let mut cells = Cells { row, next: 0, nonsense: false };
        let Some(fingerprint) = fingerprint(cells.value()?) else {
            self.repaired += 1;
            return Ok(None);
        };
        let scope = scope(cells.value()?);
        let (weight, effective) = cells.weights()?;
        let health = Health {
            weight,
            effective,
            disabled: cells.flag()?,
            cooldown_until: cells.time()?,
            past: Past {
                error_count: cells.count()?,
                consecutive_errors: cells.count()?,
                streaks: Streaks {
                    forbidden: cells.count()?,
                    throttled: cells.count()?,
                    daily: cells.count()?,
                    billing: cells.count()?,
                    server: cells.count()?,
                    circuit: cells.count()?,
                },
                last_failure: cells.failure()?,
            }
            .into(),
        };
        let state = SharedState { health, epoch: cells.count()?, last_used: cells.time()? };
        let counters = Counters {
            calls: cells.count()?,
            begun: cells.count()?,
            successes: cells.count()?,
            failures: cells.count()?,
            throttled: cells.count()?,
        };
        self.repaired += usize::from(cells.nonsense);
        Ok(Some(Record { fingerprint, scope, state, counters }))
    }
}

/// Reads the cells of a row from left to right.
struct Cells<'r> {
    row: &'r Row<'r>,
    next: usize,
    nonsense: bool,
}

impl<'r> Cells<'r> {
    fn value(&mut self) -> rusqlite::Result<ValueRef<'r>> {
        let value = self.row.get_ref(self.next);
        self.next += 1;
        value
    }

    fn integer(&mut self) -> rusqlite::Result<Option<i64>> {
        Ok(match self.value()? {
            ValueRef::Integer(number) => Some(number),
            ValueRef::Null => None,
            _ => {
                self.nonsense = true;
                None
            }
        })
    }

    /// A number of things: the nearest there is when it is below zero or too large, zero when it is none.
    fn count<N: TryFrom<i64> + Bounded>(&mut self) -> rusqlite::Result<N> {
        let number = self.integer()?;
        self.nonsense |= number.is_none();
        let number = number.unwrap_or(0);
        let sane = number.max(0);
        let count = N::try_from(sane);
        self.nonsense |= sane != number || count.is_err();
        Ok(count.unwrap_or(N::MAX))
    }

    /// Anything but zero is a yes: a key that may be revoked stays out.
    fn flag(&mut self) -> rusqlite::Result<bool> {
        let number = self.integer()?;
        self.nonsense |= !matches!(number, Some(0 | 1));
        Ok(number.unwrap_or(0) != 0)
    }

    fn time(&mut self) -> rusqlite::Result<Option<SystemTime>> {
        Ok(self.integer()?.map(from_micros))
    }

    fn real(&mut self) -> rusqlite::Result<f64> {
        Ok(match self.value()? {
            ValueRef::Real(number) => number,
            _ => f64::NAN,
        })
    }

    fn weights(&mut self) -> rusqlite::Result<(f64, f64)> {
        let (weight, effective) = (self.real()?, self.real()?);
        let sane = sane_weights(weight, effective);
        self.nonsense |= sane.0.to_bits() != weight.to_bits() || sane.1.to_bits() != effective.to_bits();
        Ok(sane)
    }

    fn failure(&mut self) -> rusqlite::Result<Option<LastFailure>> {
        let Some(at) = self.time()? else {
            // Most keys never failed.
            self.next += 2;
            return Ok(None);
        };
        let status = self.integer()?;
        let name = self.value()?;
        let sane_status = status.and_then(|status| u16::try_from(status).ok());
        let reason = name.as_str().ok().and_then(reason_named);
        self.nonsense |= sane_status.is_none() != status.is_none() || reason.is_none();
        // A reason that only a newer egb knows: what the status alone says.
        let reason = reason.unwrap_or_else(|| sane_status.map_or(Reason::Network, Reason::from_status));
        Ok(Some(LastFailure { at, status: sane_status, reason }))
    }
}

/// The largest value of a type of counts.
trait Bounded {
    const MAX: Self;
}

impl Bounded for i64 {
    const MAX: Self = i64::MAX;
}

impl Bounded for u64 {
    const MAX: Self = u64::MAX;
}

impl Bounded for u32 {
    const MAX: Self = u32::MAX;
}

/// Weight and effective weight as they are, if they are finite numbers above zero; else the default
/// weight, and full health.
fn sane_weights(weight: f64, effective: f64) -> (f64, f64) {
    let is_sane = |number: f64| number.is_finite() && number > 0.0;
    let weight = if is_sane(weight) { weight } else { DEFAULT_WEIGHT };
    (weight, if is_sane(effective) { effective } else { weight })
}

fn to_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Microseconds since 1970, rounded down; instants out of range become the nearest in range.
pub(super) fn to_micros(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => {
            let micros = before.duration().as_nanos().div_ceil(1_000);
            i64::try_from(micros).map_or(i64::MIN, |micros| -micros)
        }
    }
}

/// The instant so many microseconds after 1970; 1970 for one that the operating system can't express.
pub(super) fn from_micros(micros: i64) -> SystemTime {
    let distance = Duration::from_micros(micros.unsigned_abs());
    let time = if micros < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

const REASONS: [Reason; 11] = [
    Reason::InvalidKey,
    Reason::Billing,
    Reason::Forbidden,
    Reason::RateLimited,
    Reason::DailyQuota,
    Reason::Model,
    Reason::Server,
    Reason::Network,
    Reason::Request,
    Reason::Host,
    Reason::Balancer,
];

fn reason_named(name: &str) -> Option<Reason> {
    REASONS.into_iter().find(|&reason| reason.name() == name)
}

#[cfg(test)]
mod tests;
