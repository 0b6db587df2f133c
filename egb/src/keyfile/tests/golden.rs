//! The 104 files of the golden record, and where egb decides otherwise than the Python original.

use super::*;

/// What egb makes of a file of which the original made something else.
enum Decision {
    /// An error that names exactly these lines, its first problem with this text.
    Bad(&'static [usize], &'static str),
    /// These keys and weights.
    Keys(&'static [(&'static str, f64)]),
}

use Decision::{Bad, Keys};

const NO_WEIGHT: Decision = Bad(&[1], "no weight after its last colon");
const NOT_ABOVE_0: Decision = Bad(&[1], "not a finite number above 0");
const WHITE_SPACE: Decision = Bad(&[1], "white space in its key");

const DECISIONS: &[(&str, Decision)] = &[
    // Comments at a line's end were taken into the key, or cost the weight.
    ("inline-comment", Keys(&[("A1", 1.0)])),
    ("inline-comment-weight", Keys(&[("A1", 2.0)])),
    ("hash-in-weight", NO_WEIGHT),
    ("semicolon-comment", WHITE_SPACE),
    ("slash-comment", WHITE_SPACE),
    // Keys cut at the first colon, and weights replaced by 1.
    ("bad-weight", NO_WEIGHT),
    ("empty-weight", NO_WEIGHT),
    ("blank-weight", NO_WEIGHT),
    ("two-colons", Bad(&[1], "two weights")),
    ("provider-prefix", NO_WEIGHT),
    ("prefix-collides", Bad(&[1, 2], "add an explicit weight: `<key>:1`")),
    ("url", NO_WEIGHT),
    ("colon-then-good", Keys(&[("A1:x", 2.0)])),
    ("bad-underscore", NO_WEIGHT),
    ("hex", NO_WEIGHT),
    ("comma", NO_WEIGHT),
    ("dot-only", NO_WEIGHT),
    ("fraction", NO_WEIGHT),
    ("percent", NO_WEIGHT),
    ("float-suffix", NO_WEIGHT),
    ("space-in-number", NO_WEIGHT),
    ("unicode-minus", NO_WEIGHT),
    ("nul-weight", Bad(&[1], "U+0000")),
    // Weights that break the selection.
    ("zero", NOT_ABOVE_0),
    ("neg-zero", NOT_ABOVE_0),
    ("negative", NOT_ABOVE_0),
    ("overflow-to-inf", NOT_ABOVE_0),
    ("tiny-to-zero", NOT_ABOVE_0),
    ("inf", NO_WEIGHT),
    ("neg-inf", NO_WEIGHT),
    ("nan", NO_WEIGHT),
    // Numbers that Python reads and few people would write.
    ("underscore", NO_WEIGHT),
    ("arabic-indic-digits", NO_WEIGHT),
    ("fullwidth-digits", NO_WEIGHT),
    ("fullwidth-colon", Bad(&[1], "full-width colon")),
    // No key at all.
    ("empty-key", Bad(&[1], "no key before the colon")),
    ("just-colon", Bad(&[1], "no key before the colon")),
    ("empty-key-twice", Bad(&[1, 2], "no key before the colon")),
    // Duplicates had double share until the next start.
    ("dup-same", Keys(&[("A1", 1.0)])),
    ("dup-ws", Keys(&[("A1", 1.0)])),
    ("dup-weights", Bad(&[2], "has the key of line 1")),
    ("dup-thrice-mixed", Bad(&[3, 4], "has the key of line 1")),
    // The byte order mark was taken into the key.
    ("bom", Keys(&[("A1", 1.0), ("A2", 1.0)])),
    ("bom-comment", Keys(&[("A1", 1.0)])),
    ("bom-weight", Keys(&[("A1", 2.0)])),
    ("bom-only", Keys(&[])),
    ("bom-crlf", Bad(&[2], "U+FEFF")),
    // Characters that no key has.
    ("ws-inside-key", Bad(&[1, 2], "white space in its key")),
    ("tab-sep", WHITE_SPACE),
    ("nel", WHITE_SPACE),
    ("ls-ps", WHITE_SPACE),
    ("vt-ff", WHITE_SPACE),
    ("zwsp", Bad(&[1], "U+200B")),
    ("nul", Bad(&[1], "U+0000")),
    ("ctrl-z", Bad(&[2], "U+001A")),
    // Other formats.
    ("quotes", Bad(&[1], "quotes round the key")),
    ("csv", Bad(&[1], "comma")),
    ("json", Bad(&[1], "JSON")),
    // Not UTF-8: the original raised a decoding error.
    ("invalid-utf8", Bad(&[2], "is not UTF-8")),
    ("invalid-utf8-in-comment", Bad(&[1], "is not UTF-8")),
    ("latin1-key", Bad(&[1], "is not UTF-8")),
    ("utf16le-bom", Bad(&[1], "is UTF-16")),
    ("utf8-truncated", Bad(&[2], "is not UTF-8")),
    ("surrogate-bytes", Bad(&[1], "is not UTF-8")),
    ("overlong", Bad(&[1], "is not UTF-8")),
];

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    bytes_b64: String,
    keys: Option<Vec<(String, serde_json::Value)>>,
}

#[test]
fn every_golden_file_is_read_as_the_original_did_or_as_decided_here() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/golden_keysfile.json");
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(cases.len(), 104);
    for case in &cases {
        let name = case.name.as_str();
        let read = parse(&base64(&case.bytes_b64), Path::new("keys.txt"));
        let golden: Option<Vec<_>> = case
            .keys
            .as_ref()
            .and_then(|keys| keys.iter().map(|(key, weight)| Some((key.as_str(), weight.as_f64()?))).collect());
        match DECISIONS.iter().find(|(decided, _)| *decided == name) {
            None => assert_eq!(Some(pairs(&read.unwrap_or_else(|error| panic!("{name}: {error}")))), golden, "{name}"),
            Some((_, Keys(keys))) => {
                assert_ne!(Some(keys.to_vec()), golden, "{name} needs no decision");
                assert_eq!(pairs(&read.unwrap()), *keys, "{name}");
            }
            Some((_, Bad(lines, said))) => {
                let error = read.expect_err(name);
                let bad: Vec<usize> = error.lines().iter().map(BadLine::line).collect();
                assert_eq!(bad, *lines, "{name}: {error}");
                assert!(error.lines()[0].problem().contains(said), "{name}: {error}");
                let not_utf8 = matches!(error.kind(), KeysFileErrorKind::NotUtf8);
                assert_eq!(not_utf8, case.keys.is_none(), "{name}: {error}");
            }
        }
    }
    let unknown = DECISIONS.iter().find(|(name, _)| !cases.iter().any(|case| case.name == *name));
    assert!(unknown.is_none(), "no such case: {:?}", unknown.map(|(name, _)| name));
}

/// RFC 4648, section 4.
fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for char in text.bytes().filter(|&char| char != b'=') {
        let value = ALPHABET.iter().position(|&known| known == char).expect("base64");
        (bits, held) = (bits << 6 | u32::try_from(value).unwrap(), held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xFF).unwrap());
        }
    }
    bytes
}
