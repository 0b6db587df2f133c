//! Which file a name stands for, so that one that was moved away while it is open is noticed: SQLite would go on to
//! write to it, wherever it is (<https://www.sqlite.org/howtocorrupt.html>, 2.4).

use std::fs::{self, Metadata};
use std::path::Path;

/// What tells a file from all others, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// `None` when there is no file of that name.
    pub(super) fn of(file: &Path) -> Option<Self> {
        fs::metadata(file).ok().map(|found| Self::in_metadata(&found))
    }

    #[cfg(unix)]
    pub(crate) fn in_metadata(found: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: found.dev(), inode: found.ino() }
    }

    /// Elsewhere a file that is open can't be moved.
    #[cfg(not(unix))]
    pub(crate) fn in_metadata(_: &Metadata) -> Self {
        Self { device: 0, inode: 0 }
    }
}
