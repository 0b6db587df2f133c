//! Where the keys of a balancer come from: keys files, environment variables, code. Says what is wrong with them, and
//! nothing of what becomes of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::env;
use std::path::{Path, PathBuf};

use super::given::Given;
use super::invalid;
use crate::config::{KeyConfig, SharedTerms};
use crate::error::Error;
use crate::keyfile;
use crate::limits::Limits;

/// Where keys come from, and the limits of keys that have none of their own.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(super) list: Vec<Source>,
    /// For keys that set no limit of their own.
    pub(super) rpm: Option<u32>,
    pub(super) rpd: Option<u32>,
    pub(super) tpm: Option<u32>,
    pub(super) concurrency: Option<u32>,
}

#[derive(Debug)]
pub(super) enum Source {
    File(PathBuf),
    Environment(String),
    /// One after another.
    Code(Given),
}

impl Sources {
    pub(super) fn push(&mut self, config: KeyConfig) {
        if let Some(Source::Code(given)) = self.list.last_mut() {
            return given.push(config);
        }
        let mut given = Given::default();
        given.push(config);
        self.list.push(Source::Code(given));
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.list.shrink_to_fit();
        for source in &mut self.list {
            if let Source::Code(given) = source {
                given.shrink_to_fit();
            }
        }
    }

    /// All keys, distinct, with the default limits filled in. Where a database may hold keys there need be none.
    pub(crate) fn read(&self, may_be_none: bool) -> Result<Vec<KeyConfig>, Error> {
        if self.list.is_empty() {
            return if may_be_none { Ok(Vec::new()) } else { Err(Error::NoKeys) };
        }
        let (defaults, mut before) = (self.defaults()?, SharedTerms::default());
        // Those of a file are distinct.
        if let [source @ (Source::File(_) | Source::Environment(_))] = &*self.list {
            let mut configs = source.read()?;
            KeyConfig::fill_all(&mut configs, defaults);
            return Ok(configs);
        }
        let mut configs: Vec<KeyConfig> = Vec::new();
        let mut places = HashMap::new();
        for source in &self.list {
            for mut config in source.read()? {
                config.fill(defaults, &mut before);
                match places.entry(config.key.fingerprint()) {
                    Entry::Vacant(place) => {
                        place.insert(configs.len());
                        configs.push(config);
                    }
                    Entry::Occupied(place) if configs[*place.get()] == config => {}
                    Entry::Occupied(place) => {
                        return Err(invalid(
                            format!("the key {}", place.key()),
                            "is given twice with different settings (this is its fingerprint; keys are never shown); give it once",
                        ));
                    }
                }
            }
        }
        if configs.is_empty() {
            return Err(Error::NoKeys);
        }
        let found = keyfile::with_keys_in_names(&configs, |name| places.contains_key(name)).next();
        if let Some((config, _)) = found {
            return Err(repeats_another(config));
        }
        Ok(configs)
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.list.iter().filter_map(|source| if let Source::File(path) = source { Some(&**path) } else { None })
    }

    pub(super) fn has_files(&self) -> bool {
        self.files().next().is_some()
    }

    pub(super) fn defaults(&self) -> Result<Limits, Error> {
        // Any key serves: only the limits are read.
        let mut config = KeyConfig::new("");
        config = self.rpm.into_iter().fold(config, KeyConfig::rpm);
        config = self.rpd.into_iter().fold(config, KeyConfig::rpd);
        config = self.tpm.into_iter().fold(config, KeyConfig::tpm);
        config = self.concurrency.into_iter().fold(config, KeyConfig::concurrency);
        check_limits(&config)?;
        Ok(config.limits())
    }
}

impl Source {
    fn read(&self) -> Result<Vec<KeyConfig>, Error> {
        let (configs, name) = match self {
            Self::File(path) => (keyfile::read(path)?, keyfile::shown_file(path)),
            Self::Environment(variable) => (read_variable(variable)?, format!("the environment variable {variable}")),
            Self::Code(given) => {
                let configs = given.configs();
                configs.iter().try_for_each(check)?;
                return Ok(configs);
            }
        };
        if configs.is_empty() {
            return Err(Error::EmptySource { source_name: name });
        }
        Ok(configs)
    }
}

pub(crate) fn read_variable(variable: &str) -> Result<Vec<KeyConfig>, Error> {
    Ok(keyfile::parse_list(&variable_text(variable)?, variable)?)
}

fn variable_text(variable: &str) -> Result<zeroize::Zeroizing<String>, Error> {
    let problem = match env::var(variable) {
        Ok(text) => return Ok(text.into()),
        Err(env::VarError::NotPresent) => "is not set",
        Err(env::VarError::NotUnicode(_)) => "is not valid Unicode",
    };
    Err(Error::Environment { variable: keyfile::shown_variable(variable).to_owned(), problem })
}

/// A label or group of this key is the text of another one.
pub(crate) fn repeats_another(config: &KeyConfig) -> Error {
    invalid(names_of(config), "repeats another key, and is printed; choose another name")
}

fn names_of(config: &KeyConfig) -> String {
    format!("the label or group of the key {} (a fingerprint; keys are never shown)", config.key.fingerprint())
}

pub(crate) fn check(config: &KeyConfig) -> Result<(), Error> {
    // First, for what follows prints the label.
    keyfile::check_names(config.label_text(), config.group_name(), config.key.expose_secret())
        .map_err(|problem| invalid(names_of(config), problem))?;
    let name = || match config.label_text() {
        Some(label) => format!("the key labelled {label:?}"),
        None => format!("the key {} (a fingerprint; keys are never shown)", config.key.fingerprint()),
    };
    keyfile::check_key(config.key.expose_secret()).map_err(|problem| invalid(name(), problem))?;
    if !(config.terms.weight.is_finite() && config.terms.weight > 0.0) {
        return Err(invalid(
            format!("the weight of {}", name()),
            "is not a finite number above 0; set one, or disable the key",
        ));
    }
    check_limits(config)
}

fn check_limits(config: &KeyConfig) -> Result<(), Error> {
    match config.zero_limit() {
        Some(limit) => Err(invalid(format!("the limit {limit}"), "is 0; set a number above 0, or none for no limit")),
        None => Ok(()),
    }
}
