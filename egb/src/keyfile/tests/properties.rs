//! What holds for any file: what is written is read, nothing panics, no error shows a key.

use proptest::prelude::*;

use super::*;

/// Keys that a line can hold, colons, `#` and `=` in them included.
fn a_key() -> impl Strategy<Value = String> {
    let holds = |key: &String| Entry::parse(&format!("{key}:1")).is_ok_and(|entry| entry.key == key);
    "[A-Za-z0-9_:#=./+ключ🔑-]{1,50}"
        .prop_filter("a line can't hold it", move |key| !key.starts_with('#') && holds(key))
}

fn an_entry() -> impl Strategy<Value = KeyConfig> {
    let weight = prop_oneof![1u8..100, Just(1)].prop_map(f64::from).boxed();
    let weight = prop_oneof![weight, (1e-300..1e300_f64).boxed(), (0.001..10.0).boxed()];
    let name = || proptest::option::of("[a-z0-9:#=_-]{1,12}");
    let limit = || proptest::option::of(1..=u32::MAX).prop_map(|limit| limit.and_then(NonZeroU32::new));
    let limits = (limit(), limit(), limit(), limit());
    (a_key(), weight, name(), name(), limits).prop_map(|(key, weight, label, group, (rpm, rpd, tpm, concurrency))| {
        let config = KeyConfig::new(key).weight(weight).with_limits(Limits { rpm, rpd, tpm, concurrency });
        config.with_names(label.as_deref(), group.as_deref())
    })
}

/// Writes an entry, each part as one of the ways the grammar allows.
fn write_entry(entry: &KeyConfig, style: usize) -> String {
    let colon = [":", " : ", "\t:", ": "][style % 4];
    let white = [" ", "\t", "  ", "\u{a0}"][style / 4 % 4];
    let mut text = format!("{}{colon}{}", entry.key.expose_secret(), entry.terms.weight);
    let Limits { rpm, rpd, tpm, concurrency } = entry.limits();
    let limits = [("rpm", rpm), ("rpd", rpd), ("tpm", tpm), ("concurrency", concurrency)];
    let limits = limits.into_iter().filter_map(|(name, limit)| Some((name, limit?.to_string())));
    let texts = [("label", entry.label_text()), ("group", entry.group_name())];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text?.to_owned())));
    for (name, value) in limits.chain(texts) {
        text.extend([white, name, "=", &value]);
    }
    text + ["\n", "\r\n", "\r", "  # note, label=x\n\n"][style / 16 % 4]
}

proptest! {
    #[test]
    fn what_is_written_is_read(entries in proptest::collection::vec((an_entry(), 0..64_usize), 0..20)) {
        let mut known = std::collections::HashSet::new();
        let entries: Vec<_> = entries.into_iter().filter(|(entry, _)| known.insert(entry.key.clone())).collect();
        let text: String = entries.iter().map(|(entry, style)| write_entry(entry, *style)).collect();
        let wanted: Vec<KeyConfig> = entries.into_iter().map(|(entry, _)| entry).collect();
        let names = |entry: &'_ KeyConfig| [entry.label_text(), entry.group_name()].map(|name| name.map(str::to_lowercase));
        let repeats = |entry: &KeyConfig| {
            let key = entry.key.expose_secret().to_lowercase();
            key.len() >= 8 && names(entry).iter().flatten().any(|name| name.contains(&key))
        };
        let keys: Vec<_> = wanted.iter().map(|entry| entry.key.expose_secret().to_lowercase()).collect();
        let is_key = |entry: &KeyConfig| names(entry).iter().flatten().any(|name| keys.contains(name));
        prop_assume!(!wanted.iter().any(|entry| repeats(entry) || is_key(entry)));
        prop_assert_eq!(parse_text(&text).unwrap(), wanted);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes, Path::new("keys.txt")).map_err(|error| error.to_string());
    }

    #[test]
    fn no_text_panics(text in "[a1:.,=# \t\r\n\u{0}\u{feff}\u{85}\u{2028}{\"rpmlabe-]{0,80}") {
        let _ = parse_text(&text).map_err(|error| error.to_string());
        let _ = parse_list(&text, "KEYS").map_err(|error| error.to_string());
    }

    /// The keys are of letters that no message uses, so that any run of 8 of them in an error is a leak.
    #[test]
    fn no_error_shows_a_piece_of_a_key(
        lines in proptest::collection::vec(("[A-Z]{8,20}", "[A-Z]{8,20}", 0..FAULTS.len()), 1..40)
    ) {
        let write = |(one, two, fault): &(String, String, usize)| FAULTS[*fault].replace('1', one).replace('2', two);
        let text = lines.iter().map(write).collect::<Vec<_>>().join("\n");
        let error = parse_text(&text).unwrap_err();
        let bad: Vec<usize> = error.lines().iter().map(BadLine::line).collect();
        prop_assert_eq!(bad, (1..=lines.len()).collect::<Vec<_>>());
        let list = parse_list(&text.replace(',', ":"), "KEYS").unwrap_err();
        let shown = format!("{error} {error:?} {error:#?} {list} {list:?}");
        let leak = shown.split(|char: char| !char.is_ascii_uppercase()).find(|run| run.len() >= 8);
        prop_assert_eq!(leak, None);
    }
}

/// Bad lines; 1 and 2 stand for keys.
const FAULTS: [&str; 19] = [
    "1:2",
    "1:2:",
    "1 2",
    "1\t2:",
    "1:nan",
    "1:0",
    "1 2=2",
    "1 label=",
    "1 rpm=2",
    "1 rpm=0",
    "1 group=2 2",
    "1,2",
    "\"1\"",
    "{1: 2}",
    "1\u{200b}",
    "1\u{0}2",
    ":1",
    "1 label=1",
    "1 : 2 : x",
];
