//! A keys file of any bytes: keys, or an error that shows no piece of a key.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

/// In memory, where the system has such a place.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = if PathBuf::from("/dev/shm").is_dir() { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
    folder.join(format!("egb-fuzz-{}.txt", std::process::id()))
});

fuzz_target!(|bytes: &[u8]| {
    std::fs::write(&*FILE, bytes).expect("the file can be written");
    match egb::Balancer::builder().keys_file(&*FILE).build() {
        Ok(balancer) => {
            assert!(balancer.stats().total() > 0);
            assert!(balancer.stats().keys.iter().all(|key| key.health.weight() > 0.0));
        }
        Err(error) => {
            // A key is a long word; what the message quotes of the file is shorter.
            let shown = error.to_string();
            let words = bytes.split(|byte| byte.is_ascii_whitespace() || b":=,#".contains(byte));
            for word in words.filter(|word| word.len() >= 32).filter_map(|word| std::str::from_utf8(word).ok()) {
                assert!(!shown.contains(word), "{word:?} is in {shown:?}");
            }
        }
    }
});
