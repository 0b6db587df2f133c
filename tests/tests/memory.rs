//! Keys are wiped from memory: once nobody holds them the whole memory of this process is searched for them. One test
//! alone, for what other tests do would be found as well.
#![cfg(target_os = "linux")]
#![expect(clippy::cast_possible_truncation, reason = "lengths of a mebibyte, and remainders of 26")]

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Seek, SeekFrom};

use egb::{Balancer, Key, KeyConfig, Seal};
use zeroize::Zeroizing;

/// Of a key that lies in place, as Gemini's do, and of one that does not.
const LENGTHS: [usize; 2] = [39, LONGEST];
const LONGEST: usize = 48;
/// What is searched for: the allocator writes over the beginning of what is freed.
const TAIL: usize = 20;
/// The text that is searched for is nowhere in memory itself: it is compared through this mask.
const MASK: u8 = 0x5A;

/// A key that is in no binary, and differs for each `seed`.
fn masked_text(seed: u8, length: usize) -> [u8; LONGEST] {
    let letter = |at| (usize::from(seed) * 7 + length + at * (11 + usize::from(seed))) % 26;
    std::array::from_fn(|at| (b'a' + letter(at) as u8) ^ MASK)
}

fn text(seed: u8, length: usize) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(length));
    text.extend(masked_text(seed, length)[..length].iter().map(|byte| char::from(byte ^ MASK)));
    text
}

/// How often the key is in memory that can be written.
fn copies(seed: u8, length: usize) -> usize {
    let text = black_box(masked_text(seed, length));
    let wanted = &text[length - TAIL..length];
    let mut memory = File::open("/proc/self/mem").unwrap();
    let mut chunk = Zeroizing::new(vec![0; 1 << 20]);
    let own = chunk.as_ptr() as u64..chunk.as_ptr() as u64 + chunk.len() as u64;
    let mut found = 0;
    for line in fs::read_to_string("/proc/self/maps").unwrap().lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        if !rest.starts_with("rw") || rest.contains("[vvar") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|at| u64::from_str_radix(at, 16).unwrap());
        let mut at = start;
        while at < end {
            let length = (end - at).min(chunk.len() as u64) as usize;
            memory.seek(SeekFrom::Start(at)).unwrap();
            if memory.read_exact(&mut chunk[..length]).is_err() {
                break;
            }
            for (offset, window) in chunk[..length].windows(TAIL).enumerate() {
                let is_own = own.contains(&(at + offset as u64));
                found += usize::from(!is_own && window.iter().zip(wanted).all(|(byte, wanted)| byte ^ MASK == *wanted));
            }
            // Overlapping, so that none is missed at a border.
            at += if at + length as u64 == end { length } else { length - TAIL } as u64;
        }
    }
    found
}

#[test]
fn a_key_that_nobody_holds_is_nowhere_in_memory() {
    LENGTHS.into_iter().for_each(search);
}

fn search(length: usize) {
    let (text, copies) = (|seed| text(seed, length), |seed| copies(seed, length));
    // The search finds what is there, and what was merely freed.
    let held = Key::from(text(1).to_string());
    assert!(copies(1) >= 1);
    drop(black_box(text(2).as_str().to_owned()));
    assert!(copies(2) >= 1);

    // In code.
    drop(held);
    assert_eq!(copies(1), 0, "a key");
    let balancer = Balancer::builder().key(Key::from(text(3).as_str())).in_memory().build().unwrap();
    balancer.lease().unwrap().success();
    assert!(copies(3) >= 1);
    drop(balancer);
    assert_eq!(copies(3), 0, "a key of a balancer");

    // In a file, and in a database.
    let dir = egb_tests::tempdir().unwrap();
    let (file, db) = (dir.path().join("keys.txt"), dir.path().join("keys.db"));
    let lines = Zeroizing::new([text(4).as_bytes(), b":2 label=a\n", text(5).as_bytes(), b" rpm=10\n"].concat());
    fs::write(&file, &*lines).unwrap();
    drop(lines);
    let seal = Seal::passphrase(text(6).to_string());
    let balancer = Balancer::builder().keys_file(&file).db(&db).seal(seal).build().unwrap();
    balancer.add(KeyConfig::new(Key::from(text(7).as_str()))).unwrap();
    for _ in 0..10 {
        balancer.key().unwrap();
    }
    balancer.report(&Key::from(text(4).as_str()), 401);
    balancer.reload().unwrap();
    let shown = format!("{balancer:?} {:?}", balancer.stats());
    assert!((4..=7).all(|seed| copies(seed) >= 1));
    drop(balancer);
    drop(shown);
    for (seed, what) in [(4, "a key of a file"), (5, "another"), (6, "a passphrase"), (7, "a sealed key")] {
        assert_eq!(copies(seed), 0, "{what}");
    }
    // A sealed key that is read, and not added.
    let seal = Seal::passphrase(text(6).to_string());
    let balancer = Balancer::builder().db(&db).seal(seal).build().unwrap();
    assert!(copies(7) >= 1);
    drop(balancer);
    assert_eq!((copies(6), copies(7)), (0, 0), "a sealed key that was opened");
}
