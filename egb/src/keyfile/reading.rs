//! Reads the bytes of a keys file. Knows nothing of what is in them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{self, Path};

use zeroize::Zeroizing;

use super::error::{KeysFileError, KeysFileErrorKind, Origin};

/// All of a file. What is none by its name is refused: a pipe that nobody writes to, or a device, would be read for ever.
/// What is open here already is read, as `/dev/stdin` and a shell's `<(..)`.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeysFileError> {
    let is_file = |found: &fs::Metadata| found.is_file() || found.is_dir();
    if fs::metadata(path).is_ok_and(|found| !is_file(&found)) && descriptor(path).is_none() {
        return Err(KeysFileError::new(Origin::File(path.to_owned()), KeysFileErrorKind::NotAFile, Vec::new()));
    }
    read_wiped(path).map_err(|error| KeysFileError::io(path, error))
}

/// Reads a file and leaves no copy of it behind in freed memory, as a growing `Vec` would.
fn read_wiped(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        // Else Linux reports it at the first read and other systems in their own ways.
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // One byte more than the file has, so that its end is seen without another buffer.
    let mut buffer = Zeroizing::new(vec![0; usize::try_from(metadata.len()).unwrap_or(0) + 1]);
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            // A pipe, or a file that grew.
            let mut larger = Zeroizing::new(vec![0; (2 * buffer.len()).max(64 * 1024)]);
            larger[..filled].copy_from_slice(&buffer);
            buffer = larger;
        }
        match file.read(&mut buffer[filled..]) {
            Ok(0) => {
                buffer.truncate(filled);
                return Ok(buffer);
            }
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Which open file of this process the path leads to, as `/dev/stdout` and `/dev/fd/3` do.
pub(crate) fn descriptor(path: &Path) -> Option<u32> {
    /// As many links as Linux follows.
    const LINKS: usize = 40;
    let open_files = fs::canonicalize("/dev/fd").ok()?;
    let mut path = path::absolute(path).ok()?;
    for _ in 0..LINKS {
        let folder = fs::canonicalize(path.parent()?).ok()?;
        if folder == open_files {
            return path.file_name()?.to_str()?.parse().ok();
        }
        path = folder.join(fs::read_link(&path).ok()?);
    }
    None
}
