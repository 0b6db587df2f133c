//! A file for its owner alone that is written whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use super::shown_path;
use crate::cli::failure::Failure;
use crate::keyfile::descriptor;

const WHAT: &str = "write it";

/// Lets `fill` write a new file beside its place, and puts it there once it is on disk. One that is there is kept: an error.
pub(crate) fn make(path: &Path, fill: impl FnOnce(&Path) -> Result<(), Failure>) -> Result<(), Failure> {
    let half = half(path).map_err(Failure::file(path, WHAT))?;
    fill(half.path())?;
    half.as_file().sync_all().map_err(Failure::file(path, WHAT))?;
    half.persist_noclobber(path).map_err(|failed| failed.error).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let problem = format!("{}: there is a file of that name", shown_path(path));
            Failure::refused(problem, "choose another name, or move that file away")
        }
        _ => Failure::file(path, WHAT)(error),
    })?;
    Ok(())
}

/// Writes a file, in place of one that is there. A link stays one, and what is no file, as a pipe, or a file that is open
/// here already, is written to.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let written = match fs::canonicalize(path) {
        // What is in the file is not ours to replace.
        Ok(_) if descriptor(path).is_some() => {
            OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(bytes))
        }
        Ok(target) if target.is_file() => swap(&target, bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => swap(path, bytes),
        _ => write_to(path, bytes),
    };
    written.map_err(Failure::file(path, WHAT))
}

fn swap(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut half = half(path)?;
    half.write_all(bytes)?;
    half.as_file().sync_all()?;
    half.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

/// Writes to what is there; where a link leads to nothing, a file is made there.
fn write_to(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

/// A file beside the place, of mode 0600, which is deleted unless it gets there.
fn half(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix(".egb-").suffix(".half").tempfile_in(folder)
}
