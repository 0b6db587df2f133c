//! A database in which any bytes were overwritten: the input is a list of places (4 bytes), lengths (1 byte) and
//! values (1 byte). It is used, or refused and left as it was.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use egb::{Balancer, Error, Key};
use libfuzzer_sys::fuzz_target;

fn open(path: &Path) -> Result<Balancer, Error> {
    Balancer::builder().keys(["one", "two", "three"]).rpm(10).db(path).build()
}

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = if Path::new("/dev/shm").is_dir() { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
    tempfile::tempdir_in(folder).expect("a folder can be made")
});

/// A sound database.
static SOUND: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let path = FOLDER.path().join("sound.db");
    let balancer = open(&path).expect("it is new");
    balancer.add("four").expect("it can be written");
    for n in 0..20 {
        balancer.checkout().scope(format!("model-{}", n % 3)).lease().expect("a key is free").end(429 + n);
    }
    balancer.report(&Key::from("one"), 401);
    drop(balancer);
    fs::read(path).expect("it is there")
});

fuzz_target!(|edits: &[u8]| {
    let mut bytes = SOUND.clone();
    let (edits, _) = edits.as_chunks::<6>();
    for [a, b, c, d, length, value] in edits {
        let at = u32::from_le_bytes([*a, *b, *c, *d]) as usize % bytes.len();
        let end = bytes.len().min(at + usize::from(*length) + 1);
        bytes[at..end].fill(*value);
    }
    let path = FOLDER.path().join("keys.db");
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(FOLDER.path().join(format!("keys.db{end}")));
    }
    fs::write(&path, &bytes).expect("it can be written");
    match open(&path) {
        Ok(balancer) => {
            if let Ok(lease) = balancer.lease() {
                lease.success();
            }
            balancer.report(&Key::from("two"), 429);
            let _ = (balancer.flush(), balancer.stats().calls(), balancer.reset());
        }
        Err(_) => assert!(fs::read(&path).expect("it is there") == bytes, "a refused database was changed"),
    }
});
