//! A file that is written whole or not at all, for its owner alone.

use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::cli::failure::Failure;

/// What becomes of a file of that name that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    Replaced,
    Kept,
}

/// Makes the file beside its place, lets `fill` write it, and puts it in its place once it is on disk.
pub(crate) fn write(
    path: &Path,
    existing: Existing,
    fill: impl FnOnce(&mut NamedTempFile) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Mode 0600, and deleted unless it gets to its place.
    let made = tempfile::Builder::new().prefix(".egb-").suffix(".half").tempfile_in(folder);
    let mut half = made.map_err(Failure::file(path, "write it"))?;
    fill(&mut half)?;
    half.flush().and_then(|()| half.as_file().sync_all()).map_err(Failure::file(path, "write it"))?;
    let persisted = match existing {
        Existing::Replaced => half.persist(path),
        Existing::Kept => half.persist_noclobber(path),
    };
    persisted.map_err(|failed| failed.error).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let problem = format!("{}: there is a file of that name", path.display());
            Failure::refused(problem, "choose another name, or move that file away")
        }
        _ => Failure::file(path, "write it")(error),
    })?;
    Ok(())
}
