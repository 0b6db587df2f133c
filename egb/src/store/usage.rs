//! The table `usage`: what was used of limits, and what was learned of them, so that a restart neither
//! exceeds a window that began before it nor has to learn anew.

use std::sync::Arc;
use std::time::SystemTime;

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, Row, params};

use super::row::{fingerprint, from_micros, scope, to_micros};
use crate::key::Fingerprint;

/// What one key, or one group of keys, used in one scope. Instants are wall-clock UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) holder: Fingerprint,
    /// `None` is all calls.
    pub(crate) scope: Option<Arc<str>>,
    /// Uses that count for the last minute, oldest first: how many, and when the last of them was.
    pub(crate) uses: Vec<(SystemTime, u32)>,
    /// Uses of a day, and when it ends.
    pub(crate) day: Option<(SystemTime, u32)>,
    /// Requests a minute, as learned.
    pub(crate) learned: Option<u32>,
    pub(crate) tokens: Option<SpentTokens>,
}

/// Tokens of the last minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpentTokens {
    /// What a call spends on average.
    pub(crate) average: u64,
    /// What calls spent, oldest first: when the last of them began, and their sum.
    pub(crate) calls: Vec<(SystemTime, u64)>,
}

/// The uses that are kept of one holder; more are kept as so many groups.
const MAX_USES: usize = 64;

/// Of two that count the same day the higher count stays: each writer knows its own uses, and those of the
/// others up to its last look.
const UPSERT: &str = "INSERT INTO usage (holder, scope, uses, day_end, day_used, learned, updated_at, tokens)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (holder, scope) DO UPDATE SET
        uses       = excluded.uses,
        day_used   = CASE WHEN day_end = excluded.day_end THEN max(day_used, excluded.day_used)
                          ELSE coalesce(excluded.day_used, day_used) END,
        day_end    = coalesce(excluded.day_end, day_end),
        learned    = coalesce(excluded.learned, learned),
        tokens     = coalesce(excluded.tokens, tokens),
        updated_at = excluded.updated_at";

const SELECT: &str = "SELECT holder, scope, uses, day_end, day_used, learned, tokens FROM usage";

pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    connection.prepare_cached(UPSERT)
}

/// Writes with what [`prepare`] made.
pub(super) fn write(statement: &mut CachedStatement<'_>, usage: &Usage, now: SystemTime) -> rusqlite::Result<()> {
    statement.execute(params![
        usage.holder.as_bytes(),
        usage.scope.as_deref().unwrap_or_default(),
        pack(&usage.uses),
        usage.day.map(|(end, _)| to_micros(end)),
        usage.day.map(|(_, used)| used),
        usage.learned,
        to_micros(now),
        usage.tokens.as_ref().map(pack_tokens),
    ])?;
    Ok(())
}

/// All that is known. Rows that make no sense are left out.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Vec<Usage>> {
    let mut statement = connection.prepare_cached(SELECT)?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.extend(read(row)?);
    }
    Ok(all)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Option<Usage>> {
    let Some(holder) = fingerprint(row.get_ref(0)?) else { return Ok(None) };
    let count = |at| -> rusqlite::Result<Option<u32>> {
        Ok(match row.get_ref(at)? {
            ValueRef::Integer(number) => u32::try_from(number).ok(),
            _ => None,
        })
    };
    let day_end = match row.get_ref(3)? {
        ValueRef::Integer(micros) => Some(from_micros(micros)),
        _ => None,
    };
    Ok(Some(Usage {
        holder,
        scope: scope(row.get_ref(1)?),
        uses: row.get_ref(2)?.as_blob().map(unpack).unwrap_or_default(),
        day: day_end.zip(count(4)?),
        learned: count(5)?.filter(|&learned| learned > 0),
        tokens: row.get_ref(6)?.as_blob().ok().and_then(unpack_tokens),
    }))
}

/// 12 bytes a group of uses: microseconds since 1970 and their number, little-endian.
fn pack(uses: &[(SystemTime, u32)]) -> Vec<u8> {
    let at_once = uses.len().div_ceil(MAX_USES).max(1);
    let mut packed = Vec::with_capacity(12 * uses.len().min(MAX_USES));
    for group in uses.chunks(at_once) {
        // A group counts until its last use has left the window.
        let (Some((at, _)), number) = (group.last(), group.iter().map(|(_, number)| number).sum::<u32>()) else {
            continue;
        };
        packed.extend(to_micros(*at).to_le_bytes());
        packed.extend(number.to_le_bytes());
    }
    packed
}

fn unpack(packed: &[u8]) -> Vec<(SystemTime, u32)> {
    let (groups, _) = packed.as_chunks::<12>();
    let group = |bytes: &[u8; 12]| {
        let (at, number) = bytes.split_at(8);
        let at = i64::from_le_bytes(at.try_into().ok()?);
        let number = u32::from_le_bytes(number.try_into().ok()?);
        Some((from_micros(at), number))
    };
    groups.iter().filter_map(group).collect()
}

/// 8 bytes for the average, and 16 for each group of calls: microseconds since 1970 and tokens, little-endian.
fn pack_tokens(SpentTokens { average, calls }: &SpentTokens) -> Vec<u8> {
    let at_once = calls.len().div_ceil(MAX_USES).max(1);
    let mut packed = average.to_le_bytes().to_vec();
    for group in calls.chunks(at_once) {
        let Some((at, _)) = group.last() else { continue };
        packed.extend(to_micros(*at).to_le_bytes());
        packed.extend(group.iter().map(|(_, tokens)| tokens).sum::<u64>().to_le_bytes());
    }
    packed
}

fn unpack_tokens(packed: &[u8]) -> Option<SpentTokens> {
    let (average, calls) = packed.split_first_chunk::<8>()?;
    let (calls, _) = calls.as_chunks::<16>();
    let call = |bytes: &[u8; 16]| {
        let (at, tokens) = bytes.split_at(8);
        let at = i64::from_le_bytes(at.try_into().ok()?);
        Some((from_micros(at), u64::from_le_bytes(tokens.try_into().ok()?)))
    };
    Some(SpentTokens { average: u64::from_le_bytes(*average), calls: calls.iter().filter_map(call).collect() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn uses_are_packed_and_groups_of_them_count_until_their_last() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_435_200);
        let uses: Vec<_> = (0..100).map(|n| (start + n * Duration::from_millis(500), 1)).collect();
        assert_eq!(unpack(&pack(&uses[..64])), uses[..64]);
        let packed = unpack(&pack(&uses));
        assert_eq!(packed.len(), 50);
        assert_eq!((packed[0], packed[49]), ((uses[1].0, 2), (uses[99].0, 2)));
        assert_eq!(unpack(&[1, 2, 3]), []);
        assert_eq!(unpack(&pack(&[])), []);
    }

    #[test]
    fn tokens_are_packed_and_none_of_them_is_lost() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_435_200);
        let calls: Vec<_> = (0..100).map(|n| (start + n * Duration::from_millis(500), u64::from(n))).collect();
        let few = SpentTokens { average: 50, calls: calls[..64].to_vec() };
        assert_eq!(unpack_tokens(&pack_tokens(&few)), Some(few));
        let all = unpack_tokens(&pack_tokens(&SpentTokens { average: 50, calls: calls.clone() })).unwrap();
        assert_eq!(all.calls.len(), 50);
        assert_eq!((all.calls[0], all.calls[49]), ((calls[1].0, 1), (calls[99].0, 98 + 99)));
        assert_eq!(unpack_tokens(&[1; 7]), None);
        assert_eq!(unpack_tokens(&[0; 23]), Some(SpentTokens { average: 0, calls: Vec::new() }));
    }
}
