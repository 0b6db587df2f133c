//! The keys-file grammar: text in, keys with their weights, labels and limits out, or every bad line
//! at once. Knows nothing of pools; a file without keys is valid here.
//!
//! ```text
//! file    = [BOM] line *(LF | CR LF | CR) line          UTF-8
//! line    = [entry] [comment]                           white space around both
//! comment = "#" to the end of the line, at its start or after white space
//! entry   = key [":" weight] *(attribute)               separated by white space
//! weight  = a decimal number above 0: 2, 0.5, +3, .5, 5., 1e2; what follows the last ":"
//! attribute = ("label" | "group") "=" text | ("rpm" | "rpd" | "tpm" | "concurrency") "=" whole number from 1
//! ```
//!
//! White space is Unicode's and the separators U+001C to U+001F, as in Python's `str.strip`.
//!
//! Where the Python original took something odd and silently made a wrong key or weight of it, this
//! grammar answers with an error: a weight that is not a number (it cut the key at the first colon),
//! is not above 0, or overflows; digits other than ASCII's and `1_000` (it took both, few readers
//! would); white space, control or invisible characters inside a key; quotes, commas, JSON; one key
//! twice with two weights.

use std::collections::hash_map;
use std::path::Path;

use crate::config::KeyConfig;
use crate::key::ByFingerprint;

mod chars;
mod doubt;
mod entry;
mod error;
mod names;
mod reading;

#[cfg(test)]
mod tests;

pub(crate) use chars::check_key;
#[cfg(feature = "cli")]
pub(crate) use doubt::{is_doubtful_file, is_long_enough};
pub(crate) use doubt::{shown_file, shown_variable, without_file};
pub use error::{BadLine, KeysFileError, KeysFileErrorKind};
pub(crate) use names::{check_names, key_in_names, with_keys_in_names};
#[cfg(feature = "cli")]
pub(crate) use reading::descriptor;

use chars::trim;
use entry::Entry;
use error::Origin;

/// Reads a keys file.
pub(crate) fn read(path: &Path) -> Result<Vec<KeyConfig>, KeysFileError> {
    parse(&reading::read(path)?, path)
}

/// Reads the text of a keys file; `path` is for error messages.
pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<Vec<KeyConfig>, KeysFileError> {
    let mut list = List::new("line", bytes.len());
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        list.not_utf8(1, "is UTF-16");
    } else {
        for (line, bytes) in (1..).zip(lines(without_bom(bytes))) {
            match std::str::from_utf8(bytes) {
                Ok(text) => list.add(line, without_comment(text)),
                Err(_) => list.not_utf8(line, "is not UTF-8"),
            }
        }
    }
    list.finish(|| Origin::File(path.to_owned()))
}

/// The line of each key in a keys file.
#[cfg(feature = "cli")]
pub(crate) fn lines_of(path: &Path) -> Result<ByFingerprint<usize>, KeysFileError> {
    let bytes = reading::read(path)?;
    let mut known = ByFingerprint::default();
    for (line, bytes) in (1..).zip(lines(without_bom(&bytes))) {
        let entry = str::from_utf8(bytes).ok().and_then(|text| Entry::parse(without_comment(text)).ok());
        if let Some(entry) = entry {
            known.entry(entry.to_owned().key.fingerprint()).or_insert(line);
        }
    }
    Ok(known)
}

/// Reads keys from an environment variable: entries separated by commas or line breaks. Bad entries
/// are numbered from 1, empty ones not counted.
pub(crate) fn parse_list(text: &str, variable: &str) -> Result<Vec<KeyConfig>, KeysFileError> {
    let mut list = List::new("entry", text.len());
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    // A comment ends with its line, whatever commas it holds.
    let entries = text.split(['\n', '\r']).flat_map(|line| without_comment(line).split(','));
    for (number, text) in (1..).zip(entries.filter(|text| !trim(text).is_empty())) {
        list.add(number, text);
    }
    list.finish(|| Origin::Variable(variable.to_owned()))
}

/// The entries read so far, and what was wrong.
struct List {
    /// What is counted: lines or entries.
    unit: &'static str,
    configs: Vec<KeyConfig>,
    /// Where in `configs` each key is, and in which line.
    known: ByFingerprint<(usize, usize)>,
    bad: Vec<BadLine>,
    not_utf8: bool,
}

impl List {
    fn new(unit: &'static str, bytes: usize) -> Self {
        // Most keys have some 40 characters.
        let room = bytes / 40;
        let known = ByFingerprint::with_capacity_and_hasher(room, <_>::default());
        Self { unit, configs: Vec::with_capacity(room), known, bad: Vec::new(), not_utf8: false }
    }

    fn add(&mut self, line: usize, text: &str) {
        if trim(text).is_empty() {
            return;
        }
        let config = match Entry::parse(text) {
            Ok(entry) => entry.to_owned(),
            Err(problem) => return self.bad.push(BadLine::new(line, problem)),
        };
        match self.known.entry(config.key.fingerprint()) {
            hash_map::Entry::Vacant(place) => {
                place.insert((self.configs.len(), line));
                self.configs.push(config);
            }
            hash_map::Entry::Occupied(place) if self.configs[place.get().0] == config => {}
            hash_map::Entry::Occupied(place) => {
                let (unit, first) = (self.unit, place.get().1);
                let problem =
                    format!("has the key of {unit} {first} with another weight or other attributes; keep one");
                self.bad.push(BadLine::new(line, problem));
            }
        }
    }

    fn not_utf8(&mut self, line: usize, problem: &'static str) {
        self.not_utf8 = true;
        self.bad.push(BadLine::new(line, problem));
    }

    fn finish(mut self, origin: impl FnOnce() -> Origin) -> Result<Vec<KeyConfig>, KeysFileError> {
        self.check_names();
        if self.bad.is_empty() {
            return Ok(self.configs);
        }
        let kind = if self.not_utf8 { KeysFileErrorKind::NotUtf8 } else { KeysFileErrorKind::BadLines };
        Err(KeysFileError::new(origin(), kind, self.bad))
    }

    /// A label that is the key of another line would print that.
    fn check_names(&mut self) {
        let Self { unit, configs, known, bad, .. } = self;
        let found = with_keys_in_names(configs, |name| known.contains_key(name));
        let lines = found.map(|(config, key)| (known[&config.key.fingerprint()].1, known[&key].1));
        let problem = |of| {
            format!("repeats the key of {unit} {of} in its label or group, which are printed; choose another name")
        };
        bad.extend(lines.map(|(line, of)| BadLine::new(line, problem(of))));
        bad.sort_by_key(BadLine::line);
    }
}

fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(bytes)
}

/// The lines of a text that breaks them as any system does: LF, CR LF or a lone CR.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            return rest.take();
        };
        let width = if bytes[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = Some(&bytes[end + width..]);
        Some(&bytes[..end])
    })
}

/// Cuts off a comment: `#` at the start of the line or after white space. Elsewhere it belongs to the key.
fn without_comment(line: &str) -> &str {
    let starts_comment = |&(at, _): &(usize, &str)| line[..at].chars().next_back().is_none_or(chars::is_white);
    match line.match_indices('#').find(starts_comment) {
        Some((at, _)) => &line[..at],
        None => line,
    }
}
