//! What is wrong with a keys file. Never says anything of what a line holds: any part of it may be a key.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::doubt::{shown_file, shown_variable};

/// How many bad lines the message prints; [`KeysFileError::lines`] has all.
const PRINTED: usize = 20;

/// Why keys could not be read from a file or an environment variable. None was loaded.
///
/// The message names the source, every bad line (the first 20 of them) and the mend, and never
/// shows a key or a part of one; nor the name of a file that is not there, or of a variable, if that may be a key.
///
/// ```no_run
/// # fn main() -> Result<(), egb::Error> {
/// let built = egb::Balancer::builder().keys_file("keys.txt").in_memory().build();
/// if let Err(egb::Error::KeysFile(error)) = &built {
///     for bad in error.lines() {
///         eprintln!("{}: {}", bad.line(), bad.problem());
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
pub struct KeysFileError {
    origin: Origin,
    kind: KeysFileErrorKind,
    lines: Vec<BadLine>,
}

/// What kind of fault it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysFileErrorKind {
    /// There is no such file.
    #[error("does not exist; check the path, or create the file with one key a line")]
    NotFound,
    /// The path is a directory.
    #[error("is a directory; give the path of a file with one key a line")]
    Directory,
    /// The path is a pipe, a socket or a device, which may never end. What the process has open already, such as
    /// `/dev/stdin`, is read.
    #[error("is no regular file; give the path of a file with one key a line")]
    NotAFile,
    /// The file can't be opened or read.
    #[error("can't be read: {0}; check its permissions")]
    Unreadable(#[source] io::Error),
    /// The file is not UTF-8 throughout; [`lines`](KeysFileError::lines) says where.
    #[error("is not UTF-8; save it with that encoding")]
    NotUtf8,
    /// Lines are bad; [`lines`](KeysFileError::lines) says which.
    #[error("holds bad entries; no key was loaded")]
    BadLines,
}

/// One bad line of a keys file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    line: usize,
    problem: Cow<'static, str>,
}

pub(super) enum Origin {
    File(PathBuf),
    Variable(String),
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(&shown_file(path)).finish(),
            Self::Variable(name) => f.debug_tuple("Variable").field(&shown_variable(name)).finish(),
        }
    }
}

impl KeysFileError {
    pub(super) fn new(origin: Origin, kind: KeysFileErrorKind, lines: Vec<BadLine>) -> Self {
        Self { origin, kind, lines }
    }

    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => KeysFileErrorKind::NotFound,
            io::ErrorKind::IsADirectory => KeysFileErrorKind::Directory,
            _ => KeysFileErrorKind::Unreadable(error),
        };
        Self::new(Origin::File(path.to_owned()), kind, Vec::new())
    }

    /// The file, as it was named; `None` when the keys came from an environment variable.
    pub fn path(&self) -> Option<&Path> {
        match &self.origin {
            Origin::File(path) => Some(path),
            Origin::Variable(_) => None,
        }
    }

    /// The environment variable; `None` when the keys came from a file.
    pub fn variable(&self) -> Option<&str> {
        match &self.origin {
            Origin::File(_) => None,
            Origin::Variable(name) => Some(name),
        }
    }

    /// What kind of fault it is.
    pub fn kind(&self) -> &KeysFileErrorKind {
        &self.kind
    }

    /// Every bad line, in the order of the file. Empty when the file could not be read at all.
    pub fn lines(&self) -> &[BadLine] {
        &self.lines
    }
}

impl fmt::Display for KeysFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match &self.origin {
            Origin::File(path) => {
                write!(f, "keys file {} ", shown_file(path))?;
                "line"
            }
            Origin::Variable(name) => {
                write!(f, "environment variable {} ", shown_variable(name))?;
                "entry"
            }
        };
        write!(f, "{}", self.kind)?;
        for bad in self.lines.iter().take(PRINTED) {
            write!(f, "\n  {unit} {} {}", bad.line, bad.problem)?;
        }
        match self.lines.len().saturating_sub(PRINTED) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl BadLine {
    pub(super) fn new(line: usize, problem: impl Into<Cow<'static, str>>) -> Self {
        Self { line, problem: problem.into() }
    }

    /// Its number, from 1. In an environment variable, the number of the entry.
    pub fn line(&self) -> usize {
        self.line
    }

    /// What is wrong with it, and the mend.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}
