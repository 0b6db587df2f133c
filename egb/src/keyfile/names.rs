//! Labels and groups. They are printed, logged and stored in the clear, so none may be a key.

use std::collections::BTreeSet;

use super::chars::{is_invisible, trim};
use crate::config::KeyConfig;
use crate::key::{Fingerprint, Key};

/// A name that holds a key of this length or more would print it; shorter ones turn up in words.
const KEY_IN_NAME: usize = 8;

/// Whether a name is the key, or holds it.
pub(super) fn repeats(name: &str, key: &str) -> bool {
    let holds = || name.to_ascii_lowercase().contains(&key.to_ascii_lowercase());
    name == key || key.len() >= KEY_IN_NAME && name.len() >= key.len() && holds()
}

/// What is wrong with a label or group that is not from a file.
pub(crate) fn check_names(label: Option<&str>, group: Option<&str>, key: &str) -> Result<(), &'static str> {
    for text in [label, group].into_iter().flatten() {
        if trim(text).is_empty() {
            return Err("is empty; name it, or leave it out");
        }
        if text.contains(is_invisible) {
            return Err("holds a control or invisible character; type it anew");
        }
        if repeats(text, key) {
            return Err("repeats the key, and is printed; choose another name");
        }
    }
    Ok(())
}

/// The key of which a label or group is the text.
pub(crate) fn key_in_names(config: &KeyConfig, is_key: impl Fn(&Fingerprint) -> bool) -> Option<Fingerprint> {
    let fingerprints = config.shown_names().map(|name| Key::from(name).fingerprint());
    fingerprints.into_iter().find(is_key)
}

/// The keys in whose label or group the text of one of `is_key` stands, which are keys of `configs`.
pub(crate) fn with_keys_in_names(
    configs: &[KeyConfig],
    is_key: impl Fn(&Fingerprint) -> bool,
) -> impl Iterator<Item = (&KeyConfig, Fingerprint)> {
    let is_named = |config: &&KeyConfig| config.shown_names().next().is_some();
    // A hash for each name of a large pool takes a while, and nearly no name is as long as a key.
    let length = |config: &KeyConfig| config.key.expose_secret().len();
    let lengths: BTreeSet<usize> = if configs.iter().any(|config| is_named(&config)) {
        configs.iter().map(length).collect()
    } else {
        BTreeSet::new()
    };
    configs.iter().filter(is_named).filter_map(move |config| {
        let is_long = config.shown_names().any(|name| lengths.contains(&name.len()));
        let found = if is_long { key_in_names(config, &is_key) } else { None };
        Some((config, found?))
    })
}
