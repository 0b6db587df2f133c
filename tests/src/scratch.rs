//! Folders for tests, in which no file holds a key when the test ends.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Once;

use tempfile::TempDir;

/// What is in all keys of tests that must be seen nowhere.
pub const SECRETS: [&str; 2] = ["AIzaSyFAKE", "test-key"];

/// A folder that is deleted with all that is in it.
#[derive(Debug)]
pub struct Scratch(TempDir);

/// Makes a folder. When it is dropped all files in it are searched for keys; text files (`.txt`, as keys files are)
/// and the copies that the import of a Python database makes may hold them.
///
/// With `EGB_TRACE` set, all that egb logs is printed from then on.
///
/// # Errors
///
/// When it can't be made.
///
/// ```should_panic
/// let folder = egb_tests::tempdir().unwrap();
/// std::fs::write(folder.path().join("keys.db"), "AIzaSyFAKE_in_a_database").unwrap();
/// ```
pub fn tempdir() -> io::Result<Scratch> {
    static LOGGING: Once = Once::new();
    LOGGING.call_once(|| {
        if std::env::var_os("EGB_TRACE").is_some() {
            // A test may have set one up for itself.
            let _ = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).try_init();
        }
    });
    tempfile::tempdir().map(Scratch)
}

impl Scratch {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            search(self.0.path());
        }
    }
}

fn search(folder: &Path) {
    let Ok(files) = fs::read_dir(folder) else { return };
    for path in files.flatten().map(|file| file.path()) {
        let name = path.to_string_lossy();
        if path.is_dir() {
            search(&path);
        } else if path.is_file() && !name.ends_with(".txt") && !name.contains("python-backup") {
            let bytes = fs::read(&path).unwrap_or_default();
            let holds = |secret: &&str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!SECRETS.iter().any(holds), "{name} holds a key");
        }
    }
}
