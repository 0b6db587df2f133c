//! The grammar by example; `properties` holds it against random files, `golden` against the Python original.

use std::error::Error as _;
use std::io::{self, Write as _};
use std::num::NonZeroU32;

use super::*;
use crate::limits::Limits;

mod golden;
mod properties;

fn parse_text(text: &str) -> Result<Vec<KeyConfig>, KeysFileError> {
    parse(text.as_bytes(), Path::new("keys.txt"))
}

/// The keys with their weights.
fn pairs(entries: &[KeyConfig]) -> Vec<(&str, f64)> {
    entries.iter().map(|entry| (entry.key.expose_secret(), entry.terms.weight)).collect()
}

/// A file of many lines.
fn numbered(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

/// The one problem of the one line.
fn problem(line: &str) -> String {
    let error = parse_text(line).expect_err(line);
    assert_eq!(error.lines().len(), 1, "{line}: {error}");
    assert_eq!(error.lines()[0].line(), 1);
    error.lines()[0].problem().to_owned()
}

#[test]
fn attributes_are_read_in_any_order() {
    let entries =
        parse_text("A1:2.5 rpm=15 label=main group=project-7 concurrency=4294967295\trpd=1000 tpm=250000 # note\nA2\n")
            .unwrap();
    let first = &entries[0];
    assert_eq!(pairs(&entries), [("A1", 2.5), ("A2", 1.0)]);
    assert_eq!((first.label_text(), first.group_name()), (Some("main"), Some("project-7")));
    assert_eq!(first.limits().rpm.map(NonZeroU32::get), Some(15));
    assert_eq!(first.limits().rpd.map(NonZeroU32::get), Some(1000));
    assert_eq!(first.limits().tpm.map(NonZeroU32::get), Some(250_000));
    assert_eq!(first.limits().concurrency.map(NonZeroU32::get), Some(u32::MAX));
    assert_eq!(
        (entries[1].label_text(), entries[1].group_name(), entries[1].limits()),
        (None, None, Limits::default())
    );
}

#[test]
fn the_weight_ends_where_attributes_begin() {
    assert_eq!(pairs(&parse_text("A1 : 2 label=team:3").unwrap()), [("A1", 2.0)]);
    assert_eq!(pairs(&parse_text("A1 label=team:3").unwrap()), [("A1", 1.0)]);
    // `=` belongs to a key, as base64 has it.
    assert_eq!(pairs(&parse_text("QUJD==:2 rpm=1").unwrap()), [("QUJD==", 2.0)]);
}

#[test]
fn a_colon_belongs_to_the_key_when_a_weight_follows() {
    assert_eq!(pairs(&parse_text("sk-proj:abcdef:1").unwrap()), [("sk-proj:abcdef", 1.0)]);
    assert!(problem("sk-proj:abcdef").contains("add an explicit weight: `<key>:1`"));
}

#[test]
fn every_bad_entry_is_told_with_its_mend() {
    for (line, said) in [
        ("a:x", "no weight after its last colon"),
        ("a:nan", "no weight"),
        ("a:inf", "no weight"),
        ("a:infinity", "no weight"),
        ("a:1_000.5", "no weight"),
        ("a:١", "no weight"),
        ("a:", "no weight"),
        ("a:e5", "no weight"),
        ("a:-", "no weight"),
        ("a:-1", "not a finite number above 0"),
        ("a:-0", "not a finite number above 0"),
        ("a:0", "put `#` before the line"),
        ("a:1e999", "not a finite number above 0"),
        ("a:1e-999", "not a finite number above 0"),
        ("a:5e-324", "not a finite number above 0"),
        ("a:2.0:3.0", "two weights"),
        ("a:b:3:4", "two weights"),
        (":1", "no key before the colon"),
        (" : ", "no key before the colon"),
        ("a b", "white space in its key"),
        ("a b:2", "white space in its key"),
        ("a\u{85}b", "white space in its key"),
        ("a\u{2028}b", "white space in its key"),
        ("a\u{b}b", "white space in its key"),
        ("a\u{1c}b", "white space in its key"),
        ("a\u{200b}", "U+200B"),
        ("a\u{0}b", "U+0000"),
        ("a\u{7f}b", "U+007F"),
        ("a\u{feff}", "U+FEFF"),
        ("a\u{ad}b", "U+00AD"),
        ("a\u{2060}b", "U+2060"),
        ("a\u{e0041}b", "U+E0041"),
        ("a:2\u{0}", "U+0000"),
        ("a label=x\u{200d}y", "U+200D"),
        ("{\"keys\": [\"A1\"]}", "JSON"),
        ("]", "JSON"),
        ("'A1'", "quotes round the key"),
        ("A1\"", "quote at the end"),
        ("A1,A2", "comma"),
        ("A1,2", "comma"),
        ("A1\u{ff1a}2", "full-width colon"),
        ("label=x rpm=5", "attributes and no key"),
        ("rpm=5", "attributes and no key"),
        ("a color=red", "label, group, rpm, rpd, tpm, concurrency"),
        ("a RPM=5", "unknown attribute"),
        ("a b==", "second key"),
        ("a rpm=5 b", "text after an attribute"),
        ("a label=x y", "text after an attribute"),
        ("a =x", "unknown attribute"),
        ("a rpm=5 rpm=5", "`rpm` twice"),
        ("a rpd=5 rpd=5", "`rpd` twice"),
        ("a concurrency=5 concurrency=5", "`concurrency` twice"),
        ("a label=x label=x", "`label` twice"),
        ("a group=x group=x", "`group` twice"),
        ("a rpm=0", "whole number from 1 to 4294967295 as `rpm`"),
        ("a rpd=-1", "as `rpd`"),
        ("a concurrency=", "as `concurrency`"),
        ("a rpm=+5", "as `rpm`"),
        ("a rpm=1.5", "as `rpm`"),
        ("a rpm=4294967296", "as `rpm`"),
        ("a label=", "empty `label`"),
        ("a group=", "empty `group`"),
        ("a label=\"x\"", "quotes round its `label`"),
        ("abcdefgh label=my-abcdefgh", "repeats the key"),
        ("abcdefgh group=abcdefgh", "repeats the key"),
    ] {
        let problem = problem(line);
        assert!(problem.contains(said), "{line:?}: {problem}");
    }
}

#[test]
fn all_bad_lines_are_told_at_once_with_file_and_number() {
    let error = parse_text("A1\nA2:x\r\n\n# c\rA3 A4\nA1\nA1:2\nA5\n").unwrap_err();
    let lines: Vec<usize> = error.lines().iter().map(BadLine::line).collect();
    assert_eq!(lines, [2, 5, 7]);
    assert_eq!(error.path(), Some(Path::new("keys.txt")));
    assert_eq!(error.variable(), None);
    assert!(matches!(error.kind(), KeysFileErrorKind::BadLines));
    let text = error.to_string();
    assert!(
        text.starts_with("keys file keys.txt holds bad entries; no key was loaded\n  line 2 has no weight"),
        "{text}"
    );
    assert!(
        text.ends_with("\n  line 7 has the key of line 1 with another weight or other attributes; keep one"),
        "{text}"
    );
}

#[test]
fn a_long_list_of_bad_lines_is_cut_in_the_message_only() {
    let bad = |count| parse_text(&"A1:x\n".repeat(count)).unwrap_err();
    assert_eq!(bad(25).lines().len(), 25);
    let text = bad(25).to_string();
    assert_eq!(text.lines().count(), 22, "{text}");
    assert!(text.contains("line 20 ") && !text.contains("line 21 ") && text.ends_with("\n  and 5 more"), "{text}");
    assert!(!bad(20).to_string().contains("more"));
}

#[test]
fn a_key_twice_is_one_key_when_all_else_is_equal() {
    let entries = parse_text("A1:2 label=x rpm=5\nA2\n A1:2.0  rpm=5 label=x # again\n").unwrap();
    assert_eq!(pairs(&entries), [("A1", 2.0), ("A2", 1.0)]);
    for other in
        ["A1:3 label=x rpm=5", "A1:2 rpm=5", "A1:2 label=y rpm=5", "A1:2 label=x rpm=6", "A1:2 label=x rpm=5 group=g"]
    {
        let error = parse_text(&format!("A1:2 label=x rpm=5\n{other}")).unwrap_err();
        assert!(error.lines()[0].problem().contains("has the key of line 1"), "{error}");
    }
}

#[test]
fn a_comment_needs_the_start_of_the_line_or_white_space_before_it() {
    assert_eq!(
        pairs(&parse_text("A#1 # x\nA2:3 #x\n\u{a0}#A3\nA4\u{3000}#").unwrap()),
        [("A#1", 1.0), ("A2", 3.0), ("A4", 1.0)]
    );
    assert!(problem("A1:2#x").contains("no weight"));
}

#[test]
fn an_empty_file_is_valid() {
    for text in ["", "\u{feff}", "\n\r\n", "# one\n  # two"] {
        assert!(parse_text(text).unwrap().is_empty(), "{text:?}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_told_by_line_together_with_other_faults() {
    let error = parse(b"A1\r\n\xff\rA2:x\n# caf\xe9\n", Path::new("keys.txt")).unwrap_err();
    assert!(matches!(error.kind(), KeysFileErrorKind::NotUtf8));
    let lines: Vec<_> = error.lines().iter().map(|bad| (bad.line(), bad.problem())).collect();
    assert_eq!((lines[0], lines[1].0, lines[2]), ((2, "is not UTF-8"), 3, (4, "is not UTF-8")));
    assert!(error.to_string().contains("save it with that encoding\n  line 2 is not UTF-8\n"), "{error}");
}

#[test]
fn utf16_is_told_once() {
    for bytes in [&b"\xff\xfeA\x001\x00\n\x00B\x00"[..], b"\xfe\xff\x00A\x00\n\x00B"] {
        let error = parse(bytes, Path::new("keys.txt")).unwrap_err();
        assert_eq!(error.lines(), [BadLine::new(1, "is UTF-16")]);
        assert!(matches!(error.kind(), KeysFileErrorKind::NotUtf8));
    }
}

#[test]
fn a_file_is_read_whole() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all("\u{feff}A1:2\r\nA2".as_bytes()).unwrap();
    assert_eq!(pairs(&read(file.path()).unwrap()), [("A1", 2.0), ("A2", 1.0)]);
}

#[cfg(unix)]
#[test]
fn a_pipe_whose_length_nobody_knows_is_read_whole() {
    use std::os::fd::AsRawFd as _;

    let (reader, mut writer) = io::pipe().unwrap();
    let text = numbered(30_000, |number| format!("key-{number}"));
    let sender = std::thread::spawn(move || writer.write_all(text.as_bytes()));
    let entries = read(Path::new(&format!("/dev/fd/{}", reader.as_raw_fd()))).unwrap();
    sender.join().unwrap().unwrap();
    assert_eq!((entries.len(), entries[29_999].key.expose_secret()), (30_000, "key-29999"));
}

#[test]
fn a_file_that_cannot_be_read_is_a_typed_error() {
    let folder = tempfile::tempdir().unwrap();
    let missing = read(&folder.path().join("none.txt")).unwrap_err();
    assert!(matches!(missing.kind(), KeysFileErrorKind::NotFound));
    assert!(missing.to_string().contains("none.txt does not exist; check the path"), "{missing}");
    assert!(missing.lines().is_empty());

    let directory = read(folder.path()).unwrap_err();
    assert!(matches!(directory.kind(), KeysFileErrorKind::Directory), "{directory:?}");
    assert_eq!(directory.path(), Some(folder.path()));

    let denied = KeysFileError::io(Path::new("k"), io::ErrorKind::PermissionDenied.into());
    assert_eq!(denied.to_string(), "keys file k can't be read: permission denied; check its permissions");
    assert!(denied.source().is_none());
}

#[test]
fn a_list_is_separated_by_commas_and_line_breaks() {
    let entries = parse_list("\u{feff}A1:2, A2 ,,A3:0.5 rpm=3\r\nA4 # x, y\n# p, q\nA1:2,", "KEYS").unwrap();
    assert_eq!(pairs(&entries), [("A1", 2.0), ("A2", 1.0), ("A3", 0.5), ("A4", 1.0)]);
    assert_eq!(entries[2].limits().rpm.map(NonZeroU32::get), Some(3));
    assert!(parse_list(" ,\n", "KEYS").unwrap().is_empty());
}

#[test]
fn a_bad_list_names_the_variable_and_the_entries() {
    let error = parse_list("A1,,A2:x\n,A1:5", "EGB_KEYS").unwrap_err();
    assert_eq!((error.path(), error.variable()), (None, Some("EGB_KEYS")));
    let text = error.to_string();
    assert!(text.starts_with("environment variable EGB_KEYS holds bad entries"), "{text}");
    assert!(text.contains("\n  entry 2 has no weight"), "{text}");
    assert!(
        text.ends_with("\n  entry 3 has the key of entry 1 with another weight or other attributes; keep one"),
        "{text}"
    );
}

#[test]
fn a_key_given_in_code_may_hold_what_a_file_can_not() {
    for good in ["A1", "a:b:3", "a,b", "\"a\"", "#a", "ключ", "🔑"] {
        assert_eq!(check_key(good), Ok(()), "{good}");
    }
    for (bad, said) in [
        ("", "is empty"),
        ("a b", "white space"),
        ("a\n", "white space"),
        ("\u{1c}a", "white space"),
        ("a\u{0}", "invisible"),
        ("\u{feff}a", "invisible"),
    ] {
        let problem = check_key(bad).unwrap_err();
        assert!(problem.contains(said), "{bad:?}: {problem}");
    }
}

#[test]
fn invisible_characters_are_known_to_the_ends_of_their_ranges() {
    let char = |code: u32| char::from_u32(code).unwrap();
    for range in [
        (0x00, 0x08),
        (0x0E, 0x1B),
        (0x7F, 0x84),
        (0x86, 0x9F),
        (0xAD, 0xAD),
        (0x34F, 0x34F),
        (0x61C, 0x61C),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x200B, 0x200F),
        (0x202A, 0x202E),
        (0x2060, 0x206F),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFEFF, 0xFEFF),
        (0xFFA0, 0xFFA0),
        (0xFFF0, 0xFFFB),
        (0x1BCA0, 0x1BCA3),
        (0x1D173, 0x1D17A),
        (0xE0000, 0xE0FFF),
    ] {
        for code in [range.0, range.1] {
            assert!(chars::is_invisible(char(code)), "U+{code:04X}");
        }
        for code in [range.0.saturating_sub(1), range.1 + 1] {
            let seen = range.0 == 0 && code == 0 || chars::is_white(char(code)) || !chars::is_invisible(char(code));
            assert!(seen, "U+{code:04X}");
        }
    }
}

#[test]
fn entries_show_no_key_when_printed() {
    let entries = parse_text("SECRET-SECRET:2 label=main\n").unwrap();
    let text = format!("{entries:?} {entries:#?}");
    assert!(text.contains("main") && !text.contains("SECR"), "{text}");
}

/// 100,000 lines are a fraction of a second even unoptimised; anything quadratic takes minutes.
#[test]
fn a_hundred_thousand_lines_load_in_a_moment() {
    let text = numbered(100_000, |number| format!("AIzaSyFAKE_{number:028}:1.5 label=k{number}"));
    let start = std::time::Instant::now();
    assert_eq!(parse_text(&text).unwrap().len(), 100_000);
    let took = start.elapsed();
    println!("100,000 lines: {took:?}");
    assert!(took.as_secs() < 120, "{took:?}");
}

#[cfg(unix)]
#[test]
fn a_pipe_or_a_device_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("keys.txt");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [&*pipe, Path::new("/dev/zero")] {
        let error = read(path).unwrap_err();
        assert!(matches!(error.kind(), KeysFileErrorKind::NotAFile), "{error}");
        assert!(error.to_string().ends_with("is no regular file; give the path of a file with one key a line"));
    }
}
