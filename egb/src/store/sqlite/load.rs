//! Reading the records of all keys, which two threads may do where there are many. What they mean is for `row.rs`.

use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use rusqlite::Connection;

use super::super::Record;
use super::super::row::Reader;
use super::super::schema::{self, Refusal};
use super::select;

/// A file of so many bytes takes so long to read that a second thread is worth it.
const LARGE: u64 = 1 << 20;

/// Opens a database once more, to read from it beside another connection.
pub(super) type Opener = fn(&Path) -> Result<Connection, Refusal>;

/// All records. With an opener a second thread reads half of many; what it allocates stays with it when it is freed, so
/// that is for programs that end soon.
pub(super) fn all(
    connection: &Connection,
    file: &Path,
    opener: Option<Opener>,
) -> Result<(Vec<Record>, Reader), Refusal> {
    let is_large = || file.metadata().is_ok_and(|file| file.len() >= LARGE);
    let Some(open) = opener.filter(|_| is_large()) else {
        let mut reader = Reader::default();
        let records = select(connection, &mut reader, schema::SELECT_ALL, [])?;
        return Ok((records, reader));
    };
    let half = |connection: &Connection, from: [u8; 1], to: [u8; 17]| {
        let mut reader = Reader::default();
        let records = select(connection, &mut reader, schema::SELECT_PART, (from, to))?;
        Ok::<_, Refusal>((records, reader))
    };
    // Names are hashes. The last one there can be is below 17 bytes of ones.
    let mut middle = [0xFF; 17];
    middle[0] = 0x7F;
    let ((mut records, lower), (others, upper)) = thread::scope(|threads| -> Result<_, Refusal> {
        let upper = threads.spawn(|| half(&open(file)?, [0x80], [0xFF; 17]));
        let lower = half(connection, [0], middle);
        let upper = upper.join().unwrap_or_else(|panic| resume_unwind(panic));
        Ok((lower?, upper?))
    })?;
    records.extend(others);
    Ok((records, Reader { repaired: lower.repaired + upper.repaired }))
}
