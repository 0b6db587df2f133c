//! Where each key of a pool came from: a keys file, the environment, the database, or a program that is not here.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::named;
use crate::cli::failure::Failure;
use crate::cli::open::Setup;
use crate::cli::output::shown_path;
use crate::key::{ByFingerprint, Fingerprint};
use crate::keyfile;
use crate::stats::KeyStats;
use crate::store::AddedKey;

/// What gave a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    KeysFile(Arc<Path>),
    /// The variable `EGB_KEYS`.
    Variable,
    /// Somebody added it, perhaps from a source with a name.
    Added(Option<Arc<str>>),
    /// The database knows it, and nobody here gives it.
    Elsewhere,
}

impl Origin {
    /// What people and programs read; `None` is unknown.
    pub(crate) fn source(&self) -> Option<String> {
        match self {
            Self::KeysFile(path) => Some(shown_path(path)),
            Self::Variable => Some("EGB_KEYS".to_owned()),
            Self::Added(source) => Some(source.as_deref().unwrap_or("added").to_owned()),
            Self::Elsewhere => None,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::KeysFile(_) => "keys_file",
            Self::Variable => "environment",
            Self::Added(_) => "added",
            Self::Elsewhere => "unknown",
        }
    }
}

/// Where keys came from.
pub(crate) struct Origins {
    added: ByFingerprint<AddedKey>,
    given: Given,
}

enum Given {
    None,
    /// All that were not added.
    By(Origin),
    Each(ByFingerprint<Origin>),
}

impl Origins {
    pub(crate) fn read(setup: &Setup) -> Result<Self, Failure> {
        let added = setup.look_at_db()?.added_from()?;
        let given = match (&setup.keys_files[..], setup.has_keys_variable) {
            ([], false) => Given::None,
            ([], true) if added.is_empty() => Given::By(Origin::Variable),
            ([file], false) if added.is_empty() => Given::By(Origin::KeysFile(file.as_path().into())),
            _ => Given::Each(setup.given()?),
        };
        Ok(Self { added, given })
    }

    /// Where a key of the pool came from. A source prevails over what was added.
    pub(crate) fn of(&self, fingerprint: Fingerprint) -> Origin {
        let added = || self.added.get(&fingerprint).map(|added| Origin::Added(added.source.clone()));
        match &self.given {
            Given::None => added().unwrap_or(Origin::Elsewhere),
            Given::By(origin) => added().unwrap_or_else(|| origin.clone()),
            Given::Each(each) => each.get(&fingerprint).cloned().or_else(added).unwrap_or(Origin::Elsewhere),
        }
    }

    /// An error that says what else to do, unless the key was added and nothing else gives it.
    pub(crate) fn require_added(&self, key: &KeyStats, what: &str) -> Result<(), Failure> {
        let name = named(key.fingerprint, key.label.as_deref());
        let (problem, hint) = match self.of(key.fingerprint) {
            Origin::Added(_) => return Ok(()),
            Origin::KeysFile(path) => {
                let lines = keyfile::lines_of(&path).unwrap_or_default();
                let line = lines.get(&key.fingerprint).map_or_else(String::new, |line| format!(":{line}"));
                (
                    format!("{name} is given by the keys file {}{line}", shown_path(&path)),
                    format!(
                        "{what} there; programs take it over when they reload the file. `egb disable` works at once"
                    ),
                )
            }
            Origin::Variable => (
                format!("{name} is given by the variable EGB_KEYS"),
                format!("{what} there, and start the programs again. `egb disable` works at once"),
            ),
            Origin::Elsewhere => (
                format!(
                    "{name} is not in the database itself: a program gives it, from a keys file, a variable or code"
                ),
                format!(
                    "{what} there; name a keys file with --keys-file to be told the line. `egb disable` works at once"
                ),
            ),
        };
        Err(Failure::refused(problem, hint))
    }

    pub(crate) fn added_at(&self, fingerprint: Fingerprint) -> Option<SystemTime> {
        self.added.get(&fingerprint).map(|added| added.at)
    }
}
