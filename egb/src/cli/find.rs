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
        let key = one(stats, name, &which)?;
        if !found.iter().any(|known| known.fingerprint == key.fingerprint) {
            found.push(key);
        }
    }
    Ok(found)
}

/// The key of a name.
pub(crate) fn key<'a>(stats: &'a Stats, name: &str) -> Result<&'a KeyStats, Failure> {
    one(stats, name, "that name")
}

fn one<'a>(stats: &'a Stats, name: &str, which: &str) -> Result<&'a KeyStats, Failure> {
    let labelled: Vec<_> = stats.keys.iter().filter(|key| key.label.as_deref() == Some(name)).collect();
    match &labelled[..] {
        [] => {}
        [key] => return Ok(key),
        several => return Err(ambiguous(several, which, "label")),
    }
    let beginning: Vec<_> = stats.keys.iter().filter(|key| begins_with(key.fingerprint, name)).collect();
    match &beginning[..] {
        [key] if name.len() >= FEWEST_DIGITS => Ok(key),
        [_, _, ..] if name.len() >= FEWEST_DIGITS => Err(ambiguous(&beginning, which, "beginning of the fingerprint")),
        _ => Err(Failure::Key(unknown(stats, name, which))),
    }
}

fn begins_with(fingerprint: Fingerprint, digits: &str) -> bool {
    let halves = fingerprint.as_bytes().iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let mut halves = halves.map(u32::from);
    digits.chars().all(|digit| digit.to_digit(16).is_some_and(|digit| halves.next() == Some(digit)))
}

fn unknown(stats: &Stats, name: &str, which: &str) -> String {
    let itself = Key::from(name).fingerprint();
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
mod tests {
    use super::*;
    use crate::balancer::Balancer;
    use crate::config::KeyConfig;

    fn stats() -> Stats {
        let labelled = |number: usize, label: &str| KeyConfig::new(format!("test-key-{number}")).label(label);
        let plain = (100..200).map(|number| format!("test-key-{number}"));
        let builder = Balancer::builder().key(labelled(1, "work")).key(labelled(2, "twice")).key(labelled(3, "twice"));
        builder.keys(plain).build().unwrap().stats()
    }

    fn found(name: &str) -> Result<Fingerprint, String> {
        key(&stats(), name).map(|key| key.fingerprint).map_err(|failure| failure.to_string())
    }

    fn fingerprint(text: &str) -> Fingerprint {
        Key::from(text).fingerprint()
    }

    #[test]
    fn a_key_is_found_by_label_fingerprint_and_beginning() {
        let wanted = fingerprint("test-key-1");
        let digits = wanted.to_string();
        for name in ["work", &digits, &digits.to_ascii_uppercase(), &digits[..12]] {
            assert_eq!(found(name), Ok(wanted), "{name}");
        }
        let twice = [digits.clone(), "work".to_owned()];
        assert_eq!(keys(&stats(), &twice).unwrap().len(), 1);
    }

    #[test]
    fn what_is_unknown_or_ambiguous_is_an_error_that_does_not_repeat_it() {
        assert!(found("twice").unwrap_err().starts_with("2 keys have that name as their label: "));
        assert!(found("test-key-4").unwrap_err().starts_with("no key has that name"));
        assert!(found("ab").unwrap_err().contains("too short"));
        assert!(found("").is_err());
        let longer = fingerprint("test-key-1").to_string() + "0";
        assert!(found(&longer).is_err());
        let itself = found("test-key-1").unwrap_err();
        assert!(itself.contains("is a key itself") && !itself.contains("test-key"), "{itself}");
        let failure = keys(&stats(), &["work".to_owned(), "nobody".to_owned()]).unwrap_err();
        assert_eq!(failure.to_string(), "no key has name 2 of 2 as its label or as the beginning of its fingerprint");
    }
}
