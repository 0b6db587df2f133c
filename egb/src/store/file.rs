//! The file of a database, and what is beside it: for its owner alone, as keys may be in it. Their contents are for others.

use std::fs;
use std::io;
use std::path::Path;

use parking_lot::Mutex;

/// Closing a file drops the locks that SQLite holds on it elsewhere in this process
/// (<https://www.sqlite.org/howtocorrupt.html>, 2.2): so none is opened while one is being made.
static MAKING: Mutex<()> = Mutex::new(());

/// Whether a file was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Made,
    Found,
}

/// Makes the file, for its owner alone, unless it is there. SQLite gives the files that it adds
/// (`-wal`, `-shm`, `-journal`) the same mode.
pub(super) fn make(file: &Path) -> io::Result<Origin> {
    let _making = MAKING.lock();
    match fs::metadata(file) {
        Ok(found) if found.is_file() => return Ok(Origin::Found),
        Ok(_) => return Err(io::Error::new(io::ErrorKind::IsADirectory, "there is something else of that name")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(made) => {
            drop(made);
            sync_folder(file);
            Ok(Origin::Made)
        }
        // Another process was faster; or this is a link to nothing, which SQLite refuses.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Origin::Found),
        Err(error) => Err(error),
    }
}

/// Makes the name of a new file survive a power failure, where a folder can be synced.
pub(super) fn sync_folder(file: &Path) {
    if cfg!(unix)
        && let Some(folder) = file.parent()
        && let Ok(folder) = fs::File::open(folder)
    {
        // Some file systems do not offer it; the file is none the worse.
        let _ = folder.sync_all();
    }
}

/// Makes a file that egb took over its owner's alone, with what SQLite put beside it, before keys get into it.
#[cfg(unix)]
pub(super) fn make_private(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    for end in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        match fs::set_permissions(name, fs::Permissions::from_mode(0o600)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Whose file it is has to see to it: the warning says so.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            changed => changed?,
        }
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(super) fn make_private(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Warns once of each file, however often a program opens it.
#[cfg(unix)]
pub(super) fn warn_if_readable_by_others(file: &Path) {
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    static WARNED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let Ok(found) = fs::metadata(file) else { return };
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 && WARNED.lock().insert(file.to_owned()) {
        tracing::warn!(
            target: "egb",
            path = %file.display(),
            mode = %format_args!("{mode:o}"),
            "others may read or write the file; make it yours alone with chmod 600"
        );
    }
}

#[cfg(not(unix))]
pub(super) fn warn_if_readable_by_others(_: &Path) {}
