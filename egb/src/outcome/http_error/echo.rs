//! Takes the keys of the running call out of what a server said: as they are, and as JSON, URLs and HTML write them.
//! What only looks like a key is the business of `redact`.

use std::borrow::Cow;
use std::ops::Range;

use crate::key::Key;
use crate::outcome::provider::REDACTED;

/// In bytes. Shorter keys turn up in words, and are taken out where they stand alone.
const LONG: usize = 8;
/// One character is said in any text.
const SHORTEST: usize = 2;

/// In bytes, for one byte: `%255Cu002f` and its likes.
const LONGEST_ESCAPE: usize = 16;

/// So many escapes one in the other are seen through: JSON in a message of JSON in a URL.
const DEPTH: usize = 3;

/// The beginning of a text, up to `limit`, without these keys. One that goes beyond it is found as well.
pub(super) fn without<'a>(keys: &[Key], text: &'a str, limit: usize) -> Cow<'a, str> {
    let secrets: Vec<&str> = keys.iter().map(Key::expose_secret).filter(|secret| secret.len() >= SHORTEST).collect();
    let longest = secrets.iter().map(|secret| secret.len() * LONGEST_ESCAPE).max().unwrap_or_default();
    let mut found = Vec::new();
    if longest > 0 {
        Reading::of(&text[..text.floor_char_boundary(limit + longest)]).find(&secrets, DEPTH, &mut found);
    }
    found.retain(|place| place.start < limit);
    found.sort_by_key(|place| place.start);
    let (mut kept, mut from) = (String::new(), 0);
    for place in found {
        if place.start >= from {
            kept += &text[from..place.start];
            kept += REDACTED;
        }
        from = from.max(place.end);
    }
    let rest = &text[from.min(limit)..limit];
    if from == 0 { Cow::Borrowed(rest) } else { Cow::Owned(kept + rest) }
}

/// A text as one reads it who undoes some escapes.
struct Reading {
    bytes: Vec<u8>,
    /// Where each byte stands in the text as it was sent.
    places: Vec<Range<usize>>,
}

/// What stands for an escape, and how many bytes that has.
type Escape = fn(&[u8]) -> Option<(Meant, usize)>;

enum Meant {
    Byte(u8),
    Char(char),
}

const ESCAPES: [Escape; 3] = [json, percent, html];

impl Reading {
    fn of(text: &str) -> Self {
        Self { bytes: text.into(), places: (0..text.len()).map(|at| at..at + 1).collect() }
    }

    /// Where the secrets stand in the text as it was sent.
    fn find(&self, secrets: &[&str], depth: usize, found: &mut Vec<Range<usize>>) {
        for secret in secrets {
            let mut at = 0;
            while let Some(start) = self.next(secret, at) {
                at = start + secret.len();
                found.push(self.places[start].start..self.places[at - 1].end);
            }
        }
        // One kind of escapes after the other, for to undo one may make another, and the key may hold what looks like one.
        for escape in ESCAPES.iter().filter(|_| depth > 0) {
            if let Some(inner) = self.without(*escape) {
                inner.find(secrets, depth - 1, found);
            }
        }
    }

    fn next(&self, secret: &str, from: usize) -> Option<usize> {
        let (bytes, secret) = (&self.bytes, secret.as_bytes());
        let is_here = |start: &usize| {
            let here = &bytes[*start..*start + secret.len()];
            if secret.len() >= LONG {
                return here.eq_ignore_ascii_case(secret);
            }
            let is_apart = |byte: Option<&u8>| byte.is_none_or(|byte| !is_word(*byte));
            here == secret && is_apart(bytes[..*start].last()) && is_apart(bytes.get(*start + secret.len()))
        };
        (from..(bytes.len() + 1).saturating_sub(secret.len())).find(is_here)
    }

    /// The same with one kind of escapes undone, if there are any.
    fn without(&self, escape: Escape) -> Option<Self> {
        let (mut bytes, mut places) = (Vec::with_capacity(self.bytes.len()), Vec::with_capacity(self.bytes.len()));
        let (mut at, mut is_same) = (0, true);
        while let Some(&byte) = self.bytes.get(at) {
            let (meant, length) = escape(&self.bytes[at..]).unwrap_or((Meant::Byte(byte), 1));
            is_same &= length == 1;
            let place = self.places[at].start..self.places[at + length - 1].end;
            match meant {
                Meant::Byte(byte) => bytes.push(byte),
                Meant::Char(char) => bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
            places.resize(bytes.len(), place);
            at += length;
        }
        if is_same { None } else { Some(Self { bytes, places }) }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || !byte.is_ascii()
}

/// `\/`, `\u002f`, and what programming languages have beside: `\x2f`.
fn json(text: &[u8]) -> Option<(Meant, usize)> {
    let [b'\\', kind, rest @ ..] = text else { return None };
    match kind {
        b'u' => {
            let code = number(rest.get(..4)?, 16)?;
            let low = match rest.get(4..10) {
                Some([b'\\', b'u', digits @ ..]) if (0xD800..0xDC00).contains(&code) => number(digits, 16),
                _ => None,
            };
            match low.filter(|low| (0xDC00..0xE000).contains(low)) {
                Some(low) => Some((char(0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00))?, 12)),
                None => Some((char(code)?, 6)),
            }
        }
        b'x' => Some((byte(rest)?, 4)),
        kind if kind.is_ascii_punctuation() => Some((Meant::Byte(*kind), 2)),
        _ => None,
    }
}

/// `%2F` (RFC 3986, 2.1).
fn percent(text: &[u8]) -> Option<(Meant, usize)> {
    let [b'%', rest @ ..] = text else { return None };
    Some((byte(rest)?, 3))
}

/// `&#47;`, `&#x2F;`, `&sol;` (<https://html.spec.whatwg.org/multipage/named-characters.html>).
fn html(text: &[u8]) -> Option<(Meant, usize)> {
    /// The names of ASCII punctuation.
    const NAMES: [(&str, char); 38] = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("sol", '/'),
        ("plus", '+'),
        ("equals", '='),
        ("excl", '!'),
        ("num", '#'),
        ("dollar", '$'),
        ("percnt", '%'),
        ("lpar", '('),
        ("rpar", ')'),
        ("ast", '*'),
        ("midast", '*'),
        ("comma", ','),
        ("period", '.'),
        ("colon", ':'),
        ("semi", ';'),
        ("quest", '?'),
        ("commat", '@'),
        ("lsqb", '['),
        ("lbrack", '['),
        ("bsol", '\\'),
        ("rsqb", ']'),
        ("rbrack", ']'),
        ("hat", '^'),
        ("lowbar", '_'),
        ("underbar", '_'),
        ("grave", '`'),
        ("lcub", '{'),
        ("lbrace", '{'),
        ("verbar", '|'),
        ("vert", '|'),
        ("verticalline", '|'),
        ("rcub", '}'),
        ("rbrace", '}'),
    ];
    let [b'&', rest @ ..] = text else { return None };
    if let [b'#', rest @ ..] = rest {
        let (radix, digits) = if let [b'x' | b'X', rest @ ..] = rest { (16, rest) } else { (10, rest) };
        let length = digits.iter().take_while(|digit| char::from(**digit).is_digit(radix)).count();
        let value = number(&digits[..length], radix)?;
        let end = text.len() - digits.len() + length;
        return Some((char(value)?, end + usize::from(text.get(end) == Some(&b';'))));
    }
    let length = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let name = rest[..length].to_ascii_lowercase();
    let known = NAMES.iter().find(|(known, _)| known.as_bytes() == name)?;
    (rest.get(length) == Some(&b';')).then_some((Meant::Char(known.1), length + 2))
}

fn byte(digits: &[u8]) -> Option<Meant> {
    u8::try_from(number(digits.get(..2)?, 16)?).ok().map(Meant::Byte)
}

fn char(code: u32) -> Option<Meant> {
    char::from_u32(code).map(Meant::Char)
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    // `from_str_radix` takes a sign as well.
    let is_plain = digits.iter().all(|digit| char::from(*digit).is_digit(radix));
    u32::from_str_radix(str::from_utf8(digits).ok()?, radix).ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "abcd/efgh+ijklmnop==qrst";

    fn kept(key: &str, text: &str) -> String {
        without(&[Key::from(key)], text, text.len()).into_owned()
    }

    #[test]
    fn a_key_is_found_however_it_is_escaped() {
        let with = |from: &str, to: &str| KEY.replace(from, to);
        let in_json = serde_json::to_string(&format!("{{\"m\":\"{}\"}}", with("/", "\\/"))).unwrap();
        let written = [
            KEY.to_owned(),
            KEY.to_uppercase(),
            with("/", "\\/"),
            with("/", "\\u002f"),
            with("/", "\\U002F").replace("\\U", "\\u"),
            with("=", "\\x3d"),
            with("/", "%2F").replace('+', "%2b").replace('=', "%3D"),
            with("=", "&#61;"),
            with("=", "&#x3D;").replace('+', "&#043"),
            with("/", "&sol;").replace('+', "&plus;").replace('=', "&Equals;"),
            // Some twice, and some not at all.
            with("/", "%252F"),
            with("/", "%5C%2F"),
            with("/", "\\\\\\/"),
            with("/", "\\u0026#47;"),
            with("/", "&amp;sol;"),
            with("+", "\\u002b").replace('=', "%3D"),
            KEY.chars().map(|char| format!("\\u{:04x}", u32::from(char))).collect::<Vec<_>>().concat(),
            KEY.chars().map(|char| format!("%25{:02X}", u32::from(char))).collect::<Vec<_>>().concat(),
        ];
        for written in written {
            assert_eq!(kept(KEY, &format!("bad key {written}, sorry")), "bad key [redacted], sorry", "{written}");
        }
        assert_eq!(kept(KEY, &in_json), "\"{\\\"m\\\":\\\"[redacted]\\\"}\"");
    }

    #[test]
    fn a_key_that_looks_like_an_escape_is_found_too() {
        for key in ["ab%41\\ncd&amp;ef", "%%%%%%%%", "\\\\\\\\\\\\\\\\", "&#47;&#47;", "schlüssel-🔑-ключ"] {
            for text in [key.to_owned(), serde_json::to_string(key).unwrap()] {
                assert_eq!(kept(key, &text).trim_matches('"'), "[redacted]", "{text}");
            }
            let in_url = key.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
            assert_eq!(kept(key, &in_url), "[redacted]");
        }
        assert_eq!(kept("schlüssel-🔑", "a schl\\u00fcssel-\\ud83d\\udd11 b"), "a [redacted] b");
    }

    #[test]
    fn a_short_key_is_taken_out_as_a_word_and_a_single_character_never() {
        assert_eq!(
            kept("abc12", "bad abc12: 'abc12' abc123 xabc12 abc12-x ABC12"),
            "bad [redacted]: '[redacted]' abc123 xabc12 abc12-x ABC12"
        );
        assert_eq!(kept("a/b", r"a\/b a%2Fb a&#47;b a/bc"), "[redacted] [redacted] [redacted] a/bc");
        assert_eq!(kept("k", "k is k"), "k is k");
        assert_eq!(kept("", "nothing"), "nothing");
    }

    #[test]
    fn of_several_keys_each_is_taken_out() {
        let keys = ["test-key-1", "test-key-10", "another-one"].map(Key::from);
        let text = "test-key-10, test-key-1 another%2Done";
        assert_eq!(without(&keys, text, text.len()), "[redacted], [redacted] [redacted]");
    }

    #[test]
    fn a_key_that_is_cut_is_taken_out_whole() {
        let text = format!("a {} b {KEY}", KEY.replace('/', "%2F"));
        for limit in 3..29 {
            assert_eq!(without(&[Key::from(KEY)], &text, limit), "a [redacted]", "{limit}");
        }
        assert_eq!(without(&[Key::from(KEY)], &text, 30), "a [redacted] b");
        assert_eq!(without(&[Key::from(KEY)], &text, 2), "a ");
    }

    #[test]
    fn other_text_stays_as_it_was_sent() {
        for text in [
            "",
            "\\",
            "%",
            "&",
            "&#",
            "&#;",
            "&#x;",
            "%2",
            "\\u12",
            "\\ud83d",
            "&nope;",
            r#"{"a\/b": "%2F &amp; \u00e9"}"#,
        ] {
            assert!(
                matches!(without(&[Key::from(KEY)], text, text.len()), Cow::Borrowed(same) if same == text),
                "{text}"
            );
        }
    }

    /// A text with some of its characters, and all that mean something in an escape, written in one of the ways there are.
    fn written(text: &str, way: u8, bare: u64) -> String {
        let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.' | '~');
        let one = |(at, char): (usize, char)| match (way, u32::from(char)) {
            _ if plain(char) && (way == 3 || bare >> (at % 64) & 1 == 1) => char.to_string(),
            (0, code) => format!("\\u{code:04x}"),
            (1, code) => format!("%{code:02X}"),
            (2, code) => format!("&#{code};"),
            _ => format!("\\{char}"),
        };
        text.chars().enumerate().map(one).collect()
    }

    proptest! {
        #[test]
        fn no_escape_hides_a_key(key in "[!-~]{8,40}", ways in vec(0..4_u8, 0..4), bare: u64) {
            let mut text = key.clone();
            for way in ways {
                text = written(&text, way, bare);
            }
            prop_assert_eq!(kept(&key, &format!("<{text}>")), "<[redacted]>", "{}", text);
        }

        #[test]
        fn no_text_panics(key in "[!-~é🔑]{1,10}", text in "([!-~é🔑]|\\\\u|%|&#|%C3|%A9|\\\\ud83d){0,40}") {
            let kept = kept(&key, &text);
            prop_assert!(key.len() < 8 || !kept.contains(&key) || REDACTED.contains(&key));
        }
    }
}
