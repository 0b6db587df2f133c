//! Takes keys out of text that is kept or shown. It knows no keys; it takes out whatever
//! looks like one, and rather too much than too little.

use std::borrow::Cow;

/// What stands in the place of a key.
pub(in crate::outcome) const REDACTED: &str = "[redacted]";

/// How keys and tokens of known providers begin, and how many characters must follow: enough to tell
/// `sk-` from a word.
const PREFIXES: [(&str, usize); 15] = [
    ("AIza", 0),
    ("AQ.", 16),
    ("ya29.", 8),
    ("sk-", 6),
    ("sk_", 6),
    ("pk_", 6),
    ("gsk_", 6),
    ("xai-", 6),
    ("pplx-", 6),
    ("hf_", 6),
    ("r8_", 6),
    ("tgp_", 6),
    ("ghp_", 6),
    ("AKIA", 8),
    ("eyJ", 16),
];

/// Names after which, with a `:` or `=` between, a secret stands: `api_key:..`, `?key=..`, `"token": ".."`.
const LABELS: [&str; 6] = ["key", "token", "secret", "password", "authorization", "credential"];

/// Words before a secret in an `Authorization` header (RFC 6750, 2.1; RFC 7617).
const SCHEMES: [&str; 2] = ["bearer", "basic"];

/// Longer runs of letters and digits, both present, are secrets or might be.
const LONG: usize = 32;

/// The text with everything that looks like a key replaced.
pub(in crate::outcome) fn redact(text: &str) -> Cow<'_, str> {
    let mut kept = String::new();
    let mut from = 0;
    while let Some((start, end)) = next_secret(text, from) {
        kept += &text[from..start];
        kept += REDACTED;
        from = end;
    }
    if from == 0 { Cow::Borrowed(text) } else { Cow::Owned(kept + &text[from..]) }
}

/// The next secret at or after a position: its start and end.
fn next_secret(text: &str, from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    while at < text.len() {
        let rest = &text[at..];
        let word = token(rest, is_word);
        if word.is_empty() {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        }
        if let Some(start) = starts_secret(word, rest) {
            let start = at + start;
            return Some((start, start + token(&text[start..], is_secret).len()));
        }
        if let Some(gap) = gap_to_value(word, &rest[word.len()..]) {
            let start = at + word.len() + gap;
            let value = token(&text[start..], is_value);
            if !value.is_empty() && !text[start..].starts_with(REDACTED) {
                return Some((start, start + value.len()));
            }
        }
        at += word.len();
    }
    None
}

/// Where in a word a secret begins; `text` goes on where the word ends. Prefixes are looked for at the
/// start of the word and after its dashes, underscores and points.
fn starts_secret(word: &str, text: &str) -> Option<usize> {
    let is_prefix = |at: usize, prefix: &str, least: usize| {
        word[at..].starts_with(prefix) && token(&text[at + prefix.len()..], is_secret).len() >= least
    };
    let inner = word.match_indices(['-', '_', '.']).map(|(at, _)| at + 1);
    let mut starts = std::iter::once(0).chain(inner);
    let known = starts.find(|&at| PREFIXES.iter().any(|&(prefix, least)| is_prefix(at, prefix, least)));
    // Google's prefix is telling enough to be found anywhere.
    known.into_iter().chain(word.find("AIza")).min().or_else(|| long_run(word))
}

fn long_run(word: &str) -> Option<usize> {
    let mut start = 0;
    for run in word.split(|char: char| !char.is_ascii_alphanumeric()) {
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        if run.len() >= LONG && digits > 0 && digits < run.len() {
            return Some(start);
        }
        start += run.len() + 1;
    }
    None
}

/// After a label or a scheme: how many bytes lie between it and its value.
fn gap_to_value(word: &str, after: &str) -> Option<usize> {
    let word = word.to_ascii_lowercase();
    let white = |text: &str| token(text, |char| char == ' ').len();
    if SCHEMES.contains(&word.as_str()) {
        return Some(white(after)).filter(|gap| *gap > 0);
    }
    if !LABELS.iter().any(|label| word.ends_with(label)) {
        return None;
    }
    // `"api_key": "..`, the quotes perhaps escaped, as in JSON within JSON.
    let quote = |text: &str| token(text, |char| matches!(char, '"' | '\'' | '\\')).len();
    let mut gap = quote(after);
    gap += white(&after[gap..]);
    if !after[gap..].starts_with([':', '=']) {
        return None;
    }
    gap += 1;
    gap += white(&after[gap..]);
    gap += quote(&after[gap..]);
    // `Authorization: Bearer ..`
    for scheme in SCHEMES {
        if after.get(gap..gap + scheme.len()).is_some_and(|text| text.eq_ignore_ascii_case(scheme)) {
            let behind = gap + scheme.len();
            let white = white(&after[behind..]);
            return Some(if white > 0 { behind + white } else { gap });
        }
    }
    Some(gap)
}

/// The leading characters of one kind.
fn token(text: &str, belongs: impl Fn(char) -> bool) -> &str {
    text.split(|char| !belongs(char)).next().unwrap_or_default()
}

/// Characters of a word: labels, and the prefixes of keys.
fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.')
}

/// Characters of a key with a known prefix; `*` for those that the provider has masked itself.
fn is_secret(char: char) -> bool {
    is_word(char) || matches!(char, '*' | '+' | '/' | '~' | '%' | '=')
}

/// Characters of a value whose name says that it is a secret.
fn is_value(char: char) -> bool {
    !char.is_whitespace()
        && !char.is_control()
        && !matches!(char, '"' | '\'' | '\\' | '&' | ',' | ';' | '<' | '>' | ')' | '}' | ']')
}

/// The text up to a limit in bytes, less the last word, whose end would be missing: a key that is cut
/// might no longer look like one.
pub(in crate::outcome) fn cut(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].trim_end_matches(is_value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_looks_like_a_key_is_taken_out() {
        for (text, kept) in [
            (
                "Consumer 'api_key:AIzaSyFAKE_FAKE-000' has been suspended.",
                "Consumer 'api_key:[redacted]' has been suspended.",
            ),
            ("key AIzaSyFAKE.", "key [redacted]"),
            ("xAIzaSyFAKE", "x[redacted]"),
            ("provided: sk-FAKE********0000. You can", "provided: [redacted] You can"),
            ("sk-ant-api03-FAKE_FAKE,", "[redacted],"),
            ("(sk-proj-FAKEFAKE)", "([redacted])"),
            ("GET /v1?key=hunter2&alt=sse", "GET /v1?key=[redacted]&alt=sse"),
            ("GET /v1?api_key=a.b-c HTTP", "GET /v1?api_key=[redacted] HTTP"),
            ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
            ("authorization=basic  abcdef==", "authorization=basic  [redacted]"),
            ("Authorization: abcdef", "Authorization: [redacted]"),
            ("key=basic1 key=bearer", "key=[redacted] key=[redacted]"),
            ("with bearer abcdef here", "with bearer [redacted] here"),
            (r#"{"x-api-key": "short", "a": 1}"#, r#"{"x-api-key": "[redacted]", "a": 1}"#),
            (r#"{\"api_key\":\"short\"}"#, r#"{\"api_key\":\"[redacted]\"}"#),
            ("access_token = tok", "access_token = [redacted]"),
            ("password:p&x", "password:[redacted]&x"),
            ("id 0123456789abcdef0123456789abcdef.", "id [redacted]"),
            ("hf_abcdefgh gsk_abcdefgh", "[redacted] [redacted]"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.c2ln", "[redacted]"),
            ("key=AIzaSyA key=AIzaSyB", "key=[redacted] key=[redacted]"),
        ] {
            assert_eq!(redact(text), kept);
        }
    }

    #[test]
    fn keys_of_every_known_provider_are_taken_out() {
        let known = "AIzaSyFAKE AQ.Ab8RN6FAKEFAKEFAKE ya29.a0FAKEFAKE sk-FAKEFAKE sk_FAKEFAKE pk_FAKEFAKE gsk_FAKEFAKE \
                     xai-FAKEFAKE pplx-FAKEFAKE hf_FAKEFAKE r8_FAKEFAKE tgp_FAKEFAKE ghp_FAKEFAKE AKIAFAKEFAKE \
                     eyJhbGciOiJIUzI1NiJ9";
        assert_eq!(known.split_whitespace().count(), PREFIXES.len());
        for key in known.split_whitespace() {
            assert_eq!(redact(&format!("Refused {key}, sorry")), "Refused [redacted], sorry", "{key}");
        }
        for label in LABELS {
            assert_eq!(redact(&format!("{label}: abc")), format!("{label}: [redacted]"));
        }
    }

    #[test]
    fn other_text_stays() {
        for text in [
            "",
            "API key not valid. Please pass a valid API key.",
            "API_KEY_INVALID",
            "a task-force of risk-averse people at sk-x",
            "GenerateContentInputTokensPerModelPerMinute-FreeTier",
            "generativelanguage.googleapis.com/generate_content_free_tier_input_token_count, limit: 0, model: gemini-2.5-pro",
            "models/gemini-2.5-flash-preview-native-audio-dialog",
            "req_011CSHoEeqs5C35K2UUqR7Fy 123e4567-e89b-12d3-a456-426614174000",
            "Bearer",
            "bearer: x",
            "the key: ",
            "12345678901234567890123456789012",
            "größer als 🔑",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn a_cut_text_ends_before_a_word_that_is_not_whole() {
        assert_eq!(cut("abc AIzaSy", 10), "abc AIzaSy");
        assert_eq!(cut("abc AIzaSy", 9), "abc ");
        assert_eq!(cut("a 🔑🔑", 5), "a ");
        assert_eq!(cut("abc", 0), "");
    }

    proptest! {
        #[test]
        fn a_key_never_survives(
            before in "[ -~é🔑]{0,40}",
            lead in "(AIza|sk-|sk-ant-|sk-proj-|key=|api_key:|Bearer |gsk_)",
            secret in "[A-Z0-9]{20,40}",
            after in "[ \"'&.,}é]?[ -~]{0,40}",
        ) {
            // A letter just before `sk-` makes a word of it.
            let text = format!("{before} {lead}{secret}{after}");
            let kept = redact(&text);
            prop_assert!(!kept.contains(&secret[..8]) && !kept.contains(&secret[12..20]), "{} -> {}", text, kept);
        }

        #[test]
        fn redacting_twice_changes_nothing(text in "[a-zA-Z:=\"'. -]{0,60}|(key|sk-|AIza|Bearer |[:= ]|abcdef|\\[redacted\\]){0,12}") {
            let once = redact(&text).into_owned();
            prop_assert_eq!(redact(&once), &*once);
        }
    }
}
