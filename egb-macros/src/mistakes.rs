//! All mistakes of one use of a macro, collected so that one build shows them all.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

#[derive(Default)]
pub(crate) struct Mistakes(Option<syn::Error>);

impl Mistakes {
    pub(crate) fn add(&mut self, mistake: syn::Error) {
        match &mut self.0 {
            None => self.0 = Some(mistake),
            Some(mistakes) => mistakes.combine(mistake),
        }
    }

    /// A mistake at these tokens.
    pub(crate) fn at(&mut self, tokens: &impl ToTokens, message: impl std::fmt::Display) {
        self.add(syn::Error::new_spanned(tokens, message));
    }

    /// A mistake at this span.
    pub(crate) fn at_span(&mut self, span: Span, message: impl std::fmt::Display) {
        self.add(syn::Error::new(span, message));
    }

    /// The value, or `None` and a mistake more.
    pub(crate) fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|mistake| self.add(mistake)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// `compile_error!` for each.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0.map(syn::Error::into_compile_error).unwrap_or_default()
    }
}

/// The known name that is meant by an unknown one, if one is near enough.
pub(crate) fn did_you_mean<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    let nearest = known.iter().map(|known| (distance(unknown, known), *known)).min()?;
    if nearest.0 <= 1 + unknown.len() / 4 {
        return Some(nearest.1);
    }
    // Another form of the same word: `retry`.
    let stem = unknown.get(..4)?;
    known.iter().find(|known| known.starts_with(stem)).copied()
}

/// Levenshtein's: insertions, deletions and replacements from one to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, from) in from.chars().enumerate() {
        let mut diagonal = line;
        row[0] = line + 1;
        for (column, to) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let known = ["keys", "retries", "balancer"];
        assert_eq!(did_you_mean("key", &known), Some("keys"));
        assert_eq!(did_you_mean("retires", &known), Some("retries"));
        assert_eq!(did_you_mean("balancr", &known), Some("balancer"));
        assert_eq!(did_you_mean("retry", &known), Some("retries"));
        assert_eq!(did_you_mean("timeout", &known), None);
        assert_eq!(did_you_mean("rations", &known), None);
    }

    #[test]
    fn a_distance_counts_insertions_deletions_and_replacements() {
        for (from, to, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("a", "abc", 2),
            ("abc", "c", 2),
            ("ab", "ba", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from, to), edits, "{from} to {to}");
        }
    }
}
