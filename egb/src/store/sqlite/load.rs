//! Reading the records of all keys, which two threads may do where there are many. What they mean is for `row.rs`.

use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use rusqlite::{Connection, Params};

use super::super::Record;
use super::super::row::Reader;
use super::super::schema::{self, Refusal};

/// A file of so many bytes takes so long to read that a second thread is worth it.
const LARGE: u64 = 1 << 20;

/// Opens a database once more, to read from it beside another connection.
pub(super) type Opener = fn(&Path) -> Result<Connection, Refusal>;

/// What `work` makes of all records, in the order of their names. With an opener a second thread reads the second half of
/// many, and works on it; what it allocates stays with it when it is freed, so that is for programs that end soon.
pub(super) fn all<T: Send>(
    connection: &Connection,
    file: &Path,
    opener: Option<Opener>,
    work: impl Fn(u32, &mut dyn Iterator<Item = Record>) -> T + Sync,
) -> Result<(Vec<T>, Reader), Refusal> {
    let is_large = || file.metadata().is_ok_and(|file| file.len() >= LARGE);
    let Some(open) = opener.filter(|_| is_large()) else {
        let (made, reader) = part(connection, schema::SELECT_ALL, [], |records| work(0, records))?;
        return Ok((vec![made], reader));
    };
    // Names are hashes. The last one there can be is below 17 bytes of ones.
    let mut middle = [0xFF; 17];
    middle[0] = 0x7F;
    let half = |connection: &Connection, number, from: [u8; 1], to: [u8; 17]| {
        part(connection, schema::SELECT_PART, (from, to), |records| work(number, records))
    };
    let ((first, lower), (second, upper)) = thread::scope(|threads| -> Result<_, Refusal> {
        let upper = threads.spawn(|| half(&open(file)?, 1, [0x80], [0xFF; 17]));
        let lower = half(connection, 0, [0], middle);
        let upper = upper.join().unwrap_or_else(|panic| resume_unwind(panic));
        Ok((lower?, upper?))
    })?;
    Ok((vec![first, second], Reader { repaired: lower.repaired + upper.repaired }))
}

fn part<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    work: impl FnOnce(&mut dyn Iterator<Item = Record>) -> T,
) -> Result<(T, Reader), Refusal> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut reader = Reader::default();
    let mut failed = None;
    let mut read = || -> rusqlite::Result<Option<Record>> {
        while let Some(row) = rows.next()? {
            // One that names no key is left out.
            if let Some(record) = reader.record(row)? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    };
    let made = work(&mut std::iter::from_fn(|| {
        read().unwrap_or_else(|error| {
            failed = Some(error);
            None
        })
    }));
    failed.map_or(Ok((made, reader)), |error| Err(error.into()))
}
