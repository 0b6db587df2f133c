//! A database that is looked at and not touched: opened read-only, never made, never brought to a newer schema.

use std::path::{self, Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::super::added::SealedKeys;
use super::super::connection::BUSY_TIMEOUT;
use super::super::file::warn_if_readable_by_others;
use super::super::schema::{self, Identity, Refusal};
use super::super::{Record, Seal, StoreError, StoreErrorKind};
use super::{Sealing, Sqlite};

/// What there is at a path, if it is anything of egb's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// No file.
    Missing,
    /// A file in which nothing is yet.
    Empty,
    /// Of this version of the schema.
    Ready,
    /// Of an older version.
    Older { found: i64, known: i64 },
    /// Of easy-gemini-balance.
    PythonTool,
}

impl Standing {
    /// What is there. It is an error if that can't be read, is another program's or of a newer egb.
    pub(crate) fn of(path: &Path) -> Result<Self, StoreError> {
        let fail = |kind| StoreError::new(path, kind);
        let file = path::absolute(path).map_err(|error| fail(StoreErrorKind::Io(error)))?;
        match file.metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::Missing),
            Err(error) => return Err(fail(StoreErrorKind::Io(error))),
            Ok(found) if found.is_dir() => {
                return Err(fail(StoreErrorKind::Io(std::io::ErrorKind::IsADirectory.into())));
            }
            Ok(_) => {}
        }
        let read = || -> Result<Self, Refusal> {
            let mut connection = connect(&file)?;
            let identity = schema::identify(&connection.transaction()?)?;
            schema::accepted(&identity)?;
            Ok(match identity {
                Identity::Ours(schema::KNOWN) => Self::Ready,
                Identity::Ours(found) => Self::Older { found, known: schema::KNOWN },
                Identity::PythonTool => Self::PythonTool,
                Identity::Empty | Identity::Foreign => Self::Empty,
            })
        };
        read().map_err(|refusal| fail(refusal.into_kind()))
    }
}

impl Sqlite {
    /// Opens a database that is [`Standing::Ready`]. What is written to it is an error.
    pub(crate) fn look(path: &Path, seal: Option<&Seal>) -> Result<Self, StoreError> {
        let fail = |kind| StoreError::new(path, kind);
        let file = path::absolute(path).map_err(|error| fail(StoreErrorKind::Io(error)))?;
        let open = || -> Result<_, Refusal> {
            let connection = connect(&file)?;
            let sealer = match seal {
                Some(seal) => seal.opened(&connection)?,
                None => None,
            };
            Ok((connection, sealer))
        };
        let (connection, sealer) = open().map_err(|refusal| fail(refusal.into_kind()))?;
        warn_if_readable_by_others(&file);
        Ok(Self::over(path, file, (connection, Some(connect)), (seal.cloned(), Sealing::Opened, sealer)))
    }

    /// What `work` makes of all records, which come in the order of their names; two threads read half of many each, and
    /// tell `work` which.
    pub(crate) fn read<T: Send>(
        &mut self,
        work: impl Fn(u32, &mut dyn Iterator<Item = Record>) -> T + Sync,
    ) -> Result<Vec<T>, StoreError> {
        self.read_all(work).map_err(|refusal| StoreError::new(&self.path, refusal.into_kind()))
    }

    /// Takes sealed keys without their texts when there is no seal, rather than none of them.
    pub(crate) fn with_sealed_keys_unread(self) -> Self {
        Self { sealed: SealedKeys::Unread, ..self }
    }
}

fn connect(file: &Path) -> Result<Connection, Refusal> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let opened = Connection::open_with_flags(name(file), flags);
    let connection = opened.map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen) => why_not(file).unwrap_or(error.into()),
        _ => error.into(),
    })?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// What the system says of a file that SQLite can't open, which would tell nothing but its own name for it. No lock is lost
/// by opening and closing the file: nobody here has it open.
fn why_not(file: &Path) -> Option<Refusal> {
    let error = std::fs::File::open(file).err()?;
    let code = ffi::Error::new(ffi::SQLITE_CANTOPEN);
    Some(rusqlite::Error::SqliteFailure(code, Some(error.to_string())).into())
}

/// What SQLite is to open. Where nobody has the file open it has no log, and reading it as usual would leave an empty
/// one behind. Who opens it in this moment writes to a log of his own.
fn name(file: &Path) -> PathBuf {
    let is_there = |end: &str| {
        let mut beside = file.as_os_str().to_owned();
        beside.push(end);
        Path::new(&beside).exists()
    };
    match file.to_str() {
        Some(text) if !is_there("-wal") && !is_there("-journal") => {
            let escaped: String = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
            format!("file:{escaped}?immutable=1").into()
        }
        _ => file.to_owned(),
    }
}
