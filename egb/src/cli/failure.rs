//! Why a command did not do what it was asked to: what happened, what to do about it, and the exit code. No variant
//! ever holds a key, nor what was typed in place of one.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::output::shown_path;
use crate::error::Error;
use crate::store::{StoreError, StoreErrorKind};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Egb(Error),
    #[error("{path}: there is no database", path = shown_path(path))]
    NoDatabase { path: PathBuf },
    #[error("{path}: this is a database of schema version {found}, and this egb reads and writes {known}", path = shown_path(path))]
    OldDatabase { path: PathBuf, found: i64, known: i64 },
    #[error("{path}: this is a database of the Python tool easy-gemini-balance", path = shown_path(path))]
    PythonDatabase { path: PathBuf },
    #[error("{path}: the keys in the database are sealed", path = shown_path(path))]
    Sealed { path: PathBuf },
    /// Of a key that was named on the command line.
    #[error("{0}")]
    Key(String),
    /// What was typed makes no sense.
    #[error("{problem}")]
    Usage { problem: String, hint: Option<String> },
    /// It can't be done to this key, or this file.
    #[error("{problem}")]
    Refused { problem: String, hint: Option<String> },
    #[error("{path}: can't {what}: {error}", path = shown_path(path))]
    File { path: PathBuf, what: &'static str, error: io::Error },
    #[error("can't print the result: {0}")]
    Output(io::Error),
    #[error("can't use the terminal: {0}")]
    Terminal(io::Error),
}

impl Failure {
    pub(crate) fn usage(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { problem: problem.into(), hint: Some(hint.into()) }
    }

    pub(crate) fn refused(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { problem: problem.into(), hint: Some(hint.into()) }
    }

    /// For [`Result::map_err`]: what could not be done to a file.
    pub(crate) fn file(path: impl Into<PathBuf>, what: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::File { path, what, error }
    }

    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage { .. } => 2,
            _ => 1,
        }
    }

    /// What to do next.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoDatabase { .. } => {
                "name it with --db or EGB_DB; programs that use egb make it at their first run, and `egb add` and \
                 `egb import` do"
            }
            Self::OldDatabase { .. } => {
                "`egb db --upgrade` brings it up to date, after a copy beside it; programs with an older egb can't open \
                 it then"
            }
            Self::PythonDatabase { .. } => {
                "`egb db --upgrade` takes over what it knows of its keys, after a copy beside it; give the keys file \
                 too, for the weights"
            }
            Self::Sealed { .. } => "give the passphrase with --passphrase-file, or the key file with --key-file",
            Self::Key(_) => "`egb list` shows labels and fingerprints",
            Self::Usage { hint, .. } | Self::Refused { hint, .. } => return hint.clone(),
            Self::Terminal(_) => "with `| cat` behind it, the command prints lines",
            Self::Egb(_) | Self::File { .. } | Self::Output(_) => return None,
        };
        Some(hint.to_owned())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) if matches!(error.kind(), StoreErrorKind::Sealed) => {
                Self::Sealed { path: error.path().to_owned() }
            }
            error => Self::Egb(error),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Error::Store(Arc::new(error)).into()
    }
}
