//! Finds the key that somebody names: by its label, its fingerprint, or the beginning of one. What was typed is never
//! repeated, for it may be a key.

use super::failure::Failure;
use crate::key::{Fingerprint, Key};
use crate::stats::{KeyStats, Stats};

/// A beginning of fewer digits is too likely to be another's.
const FEWEST_DIGITS: usize = 4;
/// So many candidates are named.
const NAMED: usize = 5;

/// The keys of these names, each once.
pub(crate) fn keys<'a>(stats: &'a Stats, names: &[String]) -> Result<Vec<&'a KeyStats>, Failure> {
    let mut found: Vec<&KeyStats> = Vec::new();
    for (number, name) in (1..).zip(names) {
        let which = if names.len() == 1 { "that name".to_owned() } else { format!("name {number} of {}", names.len()) };
        let key = key(stats, name, &which)?;
        if !found.iter().any(|known| known.fingerprint == key.fingerprint) {
            found.push(key);
        }
    }
    Ok(found)
}

/// The key of one name.
fn key<'a>(stats: &'a Stats, name: &str, which: &str) -> Result<&'a KeyStats, Failure> {
    let labelled: Vec<_> = stats.keys.iter().filter(|key| key.label.as_deref() == Some(name)).collect();
    match &labelled[..] {
        [] => {}
        [key] => return Ok(key),
        several => return Err(ambiguous(several, which, "label")),
    }
    let digits = name.to_ascii_lowercase();
    let is_beginning = digits.len() >= FEWEST_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut beginning: Vec<_> = Vec::new();
    if is_beginning {
        beginning.extend(stats.keys.iter().filter(|key| key.fingerprint.to_string().starts_with(&digits)));
    }
    match &beginning[..] {
        [] => {}
        [key] => return Ok(key),
        several => return Err(ambiguous(several, which, "beginning of the fingerprint")),
    }
    Err(Failure::Key(unknown(stats, name, which)))
}

fn unknown(stats: &Stats, name: &str, which: &str) -> String {
    let itself: Fingerprint = Key::from(name).fingerprint();
    if stats.keys.iter().any(|key| key.fingerprint == itself) {
        return format!(
            "{which} is a key itself, which the shell keeps in its history now; name it by its fingerprint, {itself}"
        );
    }
    if name.len() < FEWEST_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return format!(
            "no key has {which} as its label, and for a fingerprint it is too short: {FEWEST_DIGITS} digits at least"
        );
    }
    format!("no key has {which} as its label or as the beginning of its fingerprint")
}

fn ambiguous(keys: &[&KeyStats], which: &str, what: &str) -> Failure {
    let mut names: Vec<String> = keys.iter().take(NAMED).map(|key| key.fingerprint.to_string()).collect();
    if let Some(more @ 1..) = keys.len().checked_sub(NAMED) {
        names.push(format!("and {more} more"));
    }
    Failure::Key(format!("{} keys have {which} as their {what}: {}", keys.len(), names.join(", ")))
}

#[cfg(test)]
mod tests;
