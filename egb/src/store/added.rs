//! The table `added_keys`: keys that no file, no variable and no code holds. Here alone a key's text is in the
//! database: sealed if there is a seal, else in the clear.

use std::num::NonZeroU32;
use std::time::SystemTime;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use zeroize::Zeroizing;

use super::StoreErrorKind;
use super::row::{fingerprint, to_micros};
use super::schema::{NEXT_REVISION, Refusal};
use super::seal::Sealer;
use crate::config::KeyConfig;
use crate::key::{Fingerprint, Key};
use crate::limits::Limits;

/// What to do to the added keys.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    /// Adds keys, or gives those that were added other settings.
    Add(Vec<KeyConfig>),
    /// Removes keys; those that were not added are left alone.
    Remove(Vec<Fingerprint>),
}

/// What is done about sealed keys when there is no seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SealedKeys {
    Refused,
    /// They are taken without their texts.
    #[cfg(feature = "cli")]
    Unread,
}

/// What adding a key came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    New,
    /// It was there with other settings.
    Updated,
    /// It was there as it is.
    Unchanged,
}

/// Raises what others look at.
pub(super) const TOUCH: &str = "UPDATE revisions SET added_keys = added_keys + 1";
const REVISION: &str = "SELECT added_keys FROM revisions";
const SELECT: &str = "SELECT fingerprint, secret, is_sealed, weight, label, key_group, rpm, rpd, tpm, concurrency,
        added_at
    FROM added_keys ORDER BY fingerprint";
const SELECT_SETTINGS: &str =
    "SELECT weight, label, key_group, rpm, rpd, tpm, concurrency FROM added_keys WHERE fingerprint = ?1";
const UPSERT: &str = "INSERT INTO added_keys (fingerprint, secret, is_sealed, weight, label, key_group, rpm, rpd, tpm,
        concurrency, added_at, source)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (fingerprint) DO UPDATE SET weight = excluded.weight, label = excluded.label,
        key_group = excluded.key_group, rpm = excluded.rpm, rpd = excluded.rpd, tpm = excluded.tpm,
        concurrency = excluded.concurrency, source = coalesce(excluded.source, source)";
/// What was known of a removed key stays in `keys`; this tells that it was removed.
const BURY: &str = "INSERT INTO removed_keys (fingerprint, removed_at) VALUES (?1, ?2)
    ON CONFLICT (fingerprint) DO UPDATE SET removed_at = excluded.removed_at";
const UNBURY: &str = "DELETE FROM removed_keys WHERE fingerprint = ?1";
/// Who adds a key that was disabled once wants it used. A new epoch makes all processes take it over.
const ENABLE: &str =
    "UPDATE keys SET disabled = 0, cooldown_until = NULL, consecutive_errors = 0, forbidden_streak = 0,
        throttled_streak = 0, daily_streak = 0, billing_streak = 0, server_streak = 0, circuit_streak = 0,
        epoch = epoch + 1, revision = ?2
    WHERE fingerprint = ?1 AND scope = '' AND disabled";

/// The number of edits so far.
pub(super) fn revision(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached(REVISION)?.query_one([], |row| row.get(0))
}

pub(super) fn is_sealed(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_one("SELECT EXISTS (SELECT 1 FROM seal)", [], |row| row.get(0))
}

/// Applies an edit.
pub(super) fn edit(
    transaction: &Transaction<'_>,
    edit: &Edit,
    sealer: Option<&Sealer>,
    now: SystemTime,
) -> Result<(), Refusal> {
    // What a removed row held is overwritten, and not left in free pages.
    transaction.pragma_update(None, "secure_delete", true)?;
    match edit {
        Edit::Add(configs) => {
            check_seal(transaction, sealer)?;
            for (at, config) in (0..).zip(configs) {
                add(transaction, config, None, sealer, to_micros(now) + at)?;
            }
        }
        Edit::Remove(gone) => {
            let mut statement = transaction.prepare_cached("DELETE FROM added_keys WHERE fingerprint = ?1")?;
            let mut bury = transaction.prepare_cached(BURY)?;
            for fingerprint in gone {
                if statement.execute([fingerprint.as_bytes()])? > 0 {
                    bury.execute(params![fingerprint.as_bytes(), to_micros(now)])?;
                }
            }
        }
    }
    transaction.execute(TOUCH, [])?;
    Ok(())
}

/// Where keys are sealed none is added in the clear.
fn check_seal(connection: &Connection, sealer: Option<&Sealer>) -> Result<(), Refusal> {
    if sealer.is_none() && is_sealed(connection)? { Err(StoreErrorKind::Sealed.into()) } else { Ok(()) }
}

/// Begins what adds keys one by one.
#[cfg(feature = "cli")]
pub(super) fn begin(transaction: &Transaction<'_>, sealer: Option<&Sealer>) -> Result<(), Refusal> {
    check_seal(transaction, sealer)?;
    transaction.execute(TOUCH, [])?;
    Ok(())
}

pub(super) fn add(
    transaction: &Transaction<'_>,
    config: &KeyConfig,
    source: Option<&str>,
    sealer: Option<&Sealer>,
    added_at: i64,
) -> Result<Outcome, Refusal> {
    let fingerprint = config.key.fingerprint();
    let mut known = transaction.prepare_cached(SELECT_SETTINGS)?;
    let known = known.query_one([fingerprint.as_bytes()], |row| settings(row, 0, config.key.clone())).optional()?;
    let outcome = match known {
        Some(known) if known == *config => return Ok(Outcome::Unchanged),
        Some(_) => Outcome::Updated,
        None => {
            let revision: i64 = transaction.prepare_cached(NEXT_REVISION)?.query_one([], |row| row.get(0))?;
            transaction.prepare_cached(ENABLE)?.execute(params![fingerprint.as_bytes(), revision])?;
            transaction.prepare_cached(UNBURY)?.execute([fingerprint.as_bytes()])?;
            Outcome::New
        }
    };
    let secret = match sealer {
        Some(sealer) => sealer.seal(fingerprint, config.key.expose_secret())?,
        None => config.key.expose_secret().as_bytes().to_vec(),
    };
    let Limits { rpm, rpd, tpm, concurrency } = config.limits();
    let number = |limit: Option<NonZeroU32>| limit.map(NonZeroU32::get);
    transaction.prepare_cached(UPSERT)?.execute(params![
        fingerprint.as_bytes(),
        &*Zeroizing::new(secret),
        sealer.is_some(),
        config.terms.weight,
        config.label_text(),
        config.group_name(),
        number(rpm),
        number(rpd),
        number(tpm),
        number(concurrency),
        added_at,
        source,
    ])?;
    Ok(outcome)
}

/// The keys, in the order in which they were added, and how many rows made no sense.
pub(super) fn load(
    connection: &Connection,
    sealer: Option<&Sealer>,
    unopened: SealedKeys,
) -> Result<(Vec<KeyConfig>, usize), Refusal> {
    let mut statement = connection.prepare_cached(SELECT)?;
    let mut rows = statement.query([])?;
    let (mut configs, mut nonsense) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let is_sealed = matches!(row.get_ref(2)?, ValueRef::Integer(1));
        let config = match (sealer, unopened) {
            _ if !is_sealed => read(row, None)?,
            (Some(sealer), _) => read(row, Some(sealer))?,
            (None, SealedKeys::Refused) => return Err(StoreErrorKind::Sealed.into()),
            #[cfg(feature = "cli")]
            (None, SealedKeys::Unread) => {
                let name = fingerprint(row.get_ref(0)?);
                name.map(|name| settings(row, 3, Key::without_text(name))).transpose()?
            }
        };
        match config {
            Some(config) => configs.push((row.get(10).unwrap_or(0_i64), config)),
            None => nonsense += 1,
        }
    }
    // Several times as fast as SQLite's sorting of whole rows. It is stable: the fingerprint decides between equals.
    configs.sort_by_key(|(added_at, _)| *added_at);
    Ok((configs.into_iter().map(|(_, config)| config).collect(), nonsense))
}

fn read(row: &Row<'_>, sealer: Option<&Sealer>) -> rusqlite::Result<Option<KeyConfig>> {
    let Some(name) = fingerprint(row.get_ref(0)?) else { return Ok(None) };
    let Ok(secret) = row.get_ref(1)?.as_blob() else { return Ok(None) };
    let text = match sealer {
        Some(sealer) => sealer.open(name, secret),
        None => Some(Zeroizing::new(secret.to_vec())),
    };
    let text = text.and_then(|text| std::str::from_utf8(&text).map(Key::from).ok());
    // One that is not what it was filed as is damaged.
    let Some(key) = text.filter(|key| key.fingerprint() == name) else { return Ok(None) };
    settings(row, 3, key).map(Some)
}

/// The key's settings, in the columns from `first` on.
fn settings(row: &Row<'_>, first: usize, key: Key) -> rusqlite::Result<KeyConfig> {
    let number = |at: usize| -> rusqlite::Result<Option<NonZeroU32>> {
        Ok(match row.get_ref(first + at)? {
            ValueRef::Integer(number) => u32::try_from(number).ok().and_then(NonZeroU32::new),
            _ => None,
        })
    };
    let name = |at: usize| -> rusqlite::Result<Option<String>> {
        Ok(row.get_ref(first + at)?.as_str().ok().map(str::to_owned))
    };
    let weight = match row.get_ref(first)? {
        ValueRef::Real(weight) if weight.is_finite() && weight > 0.0 => weight,
        _ => 1.0,
    };
    let limits = Limits { rpm: number(3)?, rpd: number(4)?, tpm: number(5)?, concurrency: number(6)? };
    let config = KeyConfig::new(key).weight(weight).with_limits(limits);
    Ok(config.with_names(name(1)?.as_deref(), name(2)?.as_deref()))
}

/// Seals all keys that are in the clear.
#[cfg(feature = "seal")]
pub(super) fn seal_all(transaction: &Transaction<'_>, sealer: &Sealer) -> Result<(), Refusal> {
    transaction.pragma_update(None, "secure_delete", true)?;
    let (configs, _) = load(transaction, None, SealedKeys::Refused)?;
    let mut statement =
        transaction.prepare("UPDATE added_keys SET secret = ?2, is_sealed = 1 WHERE fingerprint = ?1")?;
    for config in configs {
        let fingerprint = config.key.fingerprint();
        let secret = sealer.seal(fingerprint, config.key.expose_secret())?;
        statement.execute(params![fingerprint.as_bytes(), secret])?;
    }
    drop(statement);
    transaction.execute(TOUCH, [])?;
    Ok(())
}
