//! Whether the name of a file or a variable may be a key that was put in its place. Such a name is not repeated.

use std::path::Path;

use super::chars::trim;

/// What is shown of a name that may be a key.
const UNNAMED: &str = "…";

/// Keys of known providers that hold a point, as names of files do.
const WITH_POINTS: [&str; 3] = ["AQ.", "ya29.", "eyJ"];

/// Whether a text is as long as keys are.
pub(crate) fn is_long_enough(text: &str) -> bool {
    const SHORTEST_KEY: usize = 12;
    text.chars().count() >= SHORTEST_KEY
}

/// Whether it is the name of no file, and may be a key.
pub(crate) fn is_doubtful_file(name: &str) -> bool {
    let begins_a_key = || WITH_POINTS.iter().any(|start| trim(name).starts_with(start));
    let is_path = name.contains(['/', '\\', '.']) && !begins_a_key();
    is_long_enough(name) && !is_path && !Path::new(name).exists()
}

/// A file's name, unless it may be a key.
pub(crate) fn shown_file(path: &Path) -> String {
    if path.to_str().is_some_and(is_doubtful_file) { UNNAMED.to_owned() } else { path.display().to_string() }
}

/// A text that may hold a file's name, without that if it may be a key.
pub(crate) fn without_file(text: &str, path: &Path) -> String {
    match path.to_str() {
        Some(name) if is_doubtful_file(name) => text.replace(name, UNNAMED),
        _ => text.to_owned(),
    }
}

/// The name of a variable, unless it may be a key: names are words of capitals, with `_` between them.
pub(crate) fn shown_variable(name: &str) -> &str {
    let is_name = |char: char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_';
    let is_doubtful = !name.chars().all(is_name) || name.split('_').any(is_long_enough);
    if is_long_enough(name) && is_doubtful { UNNAMED } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_no_file_that_looks_like_a_key_is_not_shown() {
        for key in
            ["AIzaSyD-1234567890abcdefghijklmnopqrstu", "plain-words-as-key", "AQ.Ab8RN6FAKEFAKE", "ya29.a0FAKEFAKE"]
        {
            assert_eq!(shown_file(Path::new(key)), "…", "{key}");
            assert_eq!(without_file(&format!("no {key} here"), Path::new(key)), "no … here");
            assert_eq!(shown_variable(key), "…", "{key}");
        }
        for name in ["keys.txt", "a-folder/of-keys", "C:\\egb\\our-keys", "short-name", "/no/such/AQ.Ab8RN6FAKEFAKE"] {
            assert_eq!(shown_file(Path::new(name)), name);
        }
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("a-name-without-a-point");
        assert!(shown_file(&there).ends_with("a-name-without-a-point"));
    }

    #[test]
    fn variables_are_words_of_capitals() {
        for name in [
            "GEMINI_API_KEYS",
            "EGB_KEYS",
            "OPENAI_KEYS_2",
            "K8S_GEMINI_KEYS",
            "gemini_keys",
            "EGB_TEST_VARIABLE_THAT_NOBODY_SETS",
        ] {
            assert_eq!(shown_variable(name), name);
        }
        for key in
            ["ABCDEFGHIJKL", "AKIAIOSFODNN7EXAMPLE", "SK_LIVE_ABCDEFGHIJKLMNOP", "sk_live_abcdefgh", "0123456789abcdef"]
        {
            assert_eq!(shown_variable(key), "…", "{key}");
        }
    }
}
