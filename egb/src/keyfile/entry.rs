//! One entry: `key[:weight] [label=..] [group=..] [rpm=..] [rpd=..] [tpm=..] [concurrency=..]`. Comments and
//! line breaks are gone by then. A problem never quotes the entry: any part of it may be a key.

use std::borrow::Cow;
use std::num::NonZeroU32;

use super::chars::{is_invisible, is_white, trim};
use super::names::repeats;
use crate::config::KeyConfig;
use crate::limits::Limits;

/// What is wrong, as the rest of a sentence that begins with "line 3".
type Problem = Cow<'static, str>;

const QUOTES: [char; 2] = ['"', '\''];

const ATTRIBUTES: [&str; 6] = ["label", "group", "rpm", "rpd", "tpm", "concurrency"];

/// An entry that borrows from the text, so that keys are copied once.
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    weight: f64,
    label: Option<&'a str>,
    group: Option<&'a str>,
    limits: Limits,
}

impl<'a> Entry<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Problem> {
        let text = trim(text);
        let bare = |key| Self { key, weight: 1.0, label: None, group: None, limits: Limits::default() };
        // Most lines are a key and nothing else, and are seen to be in order at once.
        if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) && !text.is_empty() {
            return Ok(bare(text));
        }
        if let Some(char) = text.chars().find(|&char| is_invisible(char) && !is_white(char)) {
            let code = u32::from(char);
            return Err(format!("holds a control or invisible character (U+{code:04X}); type the line anew").into());
        }
        let (head, attributes) = split_attributes(text);
        check_head(head)?;
        let (key, weight) = split_weight(head)?;
        check_key_of_line(key)?;
        let mut entry = Self { weight, ..bare(key) };
        for attribute in attributes.split(is_white).filter(|text| !text.is_empty()) {
            entry.set(attribute)?;
        }
        if [entry.label, entry.group].into_iter().flatten().any(|text| repeats(text, key)) {
            return Err("repeats the key in its label or group, which are printed; choose another name".into());
        }
        Ok(entry)
    }

    fn set(&mut self, attribute: &'a str) -> Result<(), Problem> {
        let Some((name, value)) = attribute.split_once('=') else {
            return Err("has text after an attribute that is none; write `name=value`, without white space".into());
        };
        let again = match name {
            "label" => self.label.replace(text(name, value)?).is_some(),
            "group" => self.group.replace(text(name, value)?).is_some(),
            "rpm" => self.limits.rpm.replace(limit(name, value)?).is_some(),
            "rpd" => self.limits.rpd.replace(limit(name, value)?).is_some(),
            "tpm" => self.limits.tpm.replace(limit(name, value)?).is_some(),
            "concurrency" => self.limits.concurrency.replace(limit(name, value)?).is_some(),
            _ => {
                let known = ATTRIBUTES.join(", ");
                return Err(format!(
                    "has an unknown attribute or a second key; one key a line, attributes are {known}"
                )
                .into());
            }
        };
        if again { Err(format!("has the attribute `{name}` twice; keep one").into()) } else { Ok(()) }
    }

    /// The same with keys of its own.
    pub(super) fn to_owned(&self) -> KeyConfig {
        let config = KeyConfig::new(self.key).weight(self.weight).with_limits(self.limits);
        config.with_names(self.label, self.group)
    }
}

/// Splits off the attributes: they begin with the first word after the key that holds a `=`.
fn split_attributes(text: &str) -> (&str, &str) {
    let mut words = text.match_indices(is_white).map(|(at, white)| at + white.len());
    let is_attribute = |at: &usize| text[*at..].split(is_white).next().is_some_and(|word| word.contains('='));
    match words.find(is_attribute) {
        Some(at) => (trim(&text[..at]), &text[at..]),
        None => (text, ""),
    }
}

/// What can be told before the weight is looked for, whose own problem would mislead.
fn check_head(head: &str) -> Result<(), Problem> {
    if head.starts_with(['{', '[', '}', ']']) {
        return Err("looks like JSON; write one key a line, bare".into());
    }
    if head.starts_with(QUOTES) {
        return Err("has quotes round the key; write it bare".into());
    }
    if ATTRIBUTES.iter().any(|name| head.strip_prefix(name).is_some_and(|rest| rest.starts_with('='))) {
        return Err("has attributes and no key; write the key first".into());
    }
    Ok(())
}

/// Splits at the last colon; without one the weight is 1.
fn split_weight(head: &str) -> Result<(&str, f64), Problem> {
    let Some((key, weight)) = head.rsplit_once(':') else {
        return Ok((head, 1.0));
    };
    let key = trim(key);
    if key.is_empty() {
        return Err("has no key before the colon; write the key, or delete the line".into());
    }
    let Some(weight) = number(trim(weight)) else {
        return Err("has no weight after its last colon; write a number above 0, such as `2` or `0.5`, \
                    and if the colon belongs to the key, add an explicit weight: `<key>:1`"
            .into());
    };
    // Subnormal numbers are refused too: shrinking health would round them to 0.
    if !weight.is_normal() || weight < 0.0 {
        return Err("has a weight that is not a finite number above 0; correct it, or put `#` before the line \
                    to leave the key out"
            .into());
    }
    if key.rsplit_once(':').is_some_and(|(_, before)| number(trim(before)).is_some()) {
        return Err(
            "has two weights; keep one (a key that ends in a colon and a number can only be given in code)".into()
        );
    }
    Ok((key, weight))
}

/// A decimal number in ASCII: digits with a sign, a point, an exponent. Rust's own grammar, less
/// `inf`, `nan` and their likes.
fn number(text: &str) -> Option<f64> {
    let decimal = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if decimal { text.parse().ok() } else { None }
}

fn check_key_of_line(key: &str) -> Result<(), Problem> {
    if key.contains(is_white) {
        return Err("has white space in its key; write one key a line, and the weight after a colon".into());
    }
    if key.ends_with(QUOTES) {
        return Err("has a quote at the end of its key; write the key bare".into());
    }
    if key.contains(',') {
        return Err("has a comma in its key; write one key a line, and the weight after a colon \
                    (a key that holds a comma can only be given in code)"
            .into());
    }
    if key.contains('\u{FF1A}') {
        return Err("has a full-width colon; write `:`".into());
    }
    Ok(())
}

fn text<'a>(name: &str, value: &'a str) -> Result<&'a str, Problem> {
    if value.is_empty() {
        return Err(format!("has an empty `{name}`; name it, or leave `{name}` out").into());
    }
    if value.starts_with(QUOTES) {
        return Err(format!("has quotes round its `{name}`; write it bare, without white space").into());
    }
    Ok(value)
}

fn limit(name: &str, value: &str) -> Result<NonZeroU32, Problem> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|_| digits).ok_or_else(|| {
        let most = NonZeroU32::MAX;
        format!("needs a whole number from 1 to {most} as `{name}`; leave `{name}` out for no limit").into()
    })
}
