//! Keys that were added by hand, and which of them no source gives as well: what a source says of a key prevails.

use std::collections::HashSet;

use crate::config::KeyConfig;
use crate::key::Fingerprint;
use crate::limits::Limits;
use crate::store::Edit;

/// Where a key of the pool comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A keys file, an environment variable or code.
    Given,
    /// It was added by hand, and nothing else gives it.
    Added,
}

/// The keys that were added, in that order.
#[derive(Debug, Default)]
pub(super) struct Added {
    configs: Vec<KeyConfig>,
    alone: HashSet<Fingerprint>,
    /// For those that set no limit of their own.
    defaults: Limits,
}

impl Added {
    pub(super) fn new(configs: Vec<KeyConfig>, defaults: Limits) -> Self {
        let mut added = Self { defaults, ..Self::default() };
        added.replace(configs, &HashSet::new());
        added
    }

    /// Whether the key is in the pool because it was added, and for no other reason.
    pub(super) fn is_alone(&self, fingerprint: &Fingerprint) -> bool {
        self.alone.contains(fingerprint)
    }

    pub(super) fn alone(&self) -> Vec<KeyConfig> {
        self.configs.iter().filter(|config| self.is_alone(&config.key.fingerprint())).cloned().collect()
    }

    /// Keys that sources give, and after them those that were added and that they don't give.
    pub(super) fn beside(&mut self, mut given: Vec<KeyConfig>) -> Vec<KeyConfig> {
        if !self.configs.is_empty() {
            let names = given.iter().map(|config| config.key.fingerprint()).collect();
            self.find_alone(&names);
            given.extend(self.alone());
        }
        given
    }

    /// Takes other keys in place of those there were, and returns which of these were alone.
    pub(super) fn replace(&mut self, configs: Vec<KeyConfig>, given: &HashSet<Fingerprint>) -> HashSet<Fingerprint> {
        self.configs = configs;
        KeyConfig::fill_all(&mut self.configs, self.defaults);
        let before = std::mem::take(&mut self.alone);
        self.find_alone(given);
        before
    }

    fn find_alone(&mut self, given: &HashSet<Fingerprint>) {
        let names = self.configs.iter().map(|config| config.key.fingerprint());
        self.alone = names.filter(|name| !given.contains(name)).collect();
    }

    /// The keys as an edit leaves them.
    pub(super) fn edited(&self, edit: &Edit) -> Vec<KeyConfig> {
        let mut configs = self.configs.clone();
        let at = |configs: &[KeyConfig], name| configs.iter().position(|config| config.key.fingerprint() == name);
        match edit {
            Edit::Add(wanted) => {
                for config in wanted {
                    match at(&configs, config.key.fingerprint()) {
                        Some(known) => configs[known] = config.clone(),
                        None => configs.push(config.clone()),
                    }
                }
            }
            Edit::Remove(gone) => configs.retain(|config| !gone.contains(&config.key.fingerprint())),
        }
        configs
    }
}
