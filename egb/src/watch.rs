//! Looks whether keys files changed, and has them read again. Knows nothing of what is in them; asks for their
//! metadata alone, which works on network mounts and in containers as well.

use std::convert::Infallible;
use std::fs::{self, Metadata};
use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;

use crate::checkout::block_on;
use crate::clock::Tick;
use crate::error::Error;
use crate::events;
use crate::keyfile::KeysFileErrorKind;
use crate::others;
use crate::pool::Reloaded;
use crate::reload::Intake;
use crate::store::FileId;

/// From one look to the next.
const INTERVAL: Duration = Duration::from_millis(500);
/// A file that has not changed for so long is taken for written to its end.
const SETTLED: Duration = Duration::from_secs(1);
/// From one try to read what can't be read to the next.
const RETRY: Duration = Duration::from_secs(10);
/// The coarsest clock that file systems stamp files with: within it a second change may leave no trace.
const COARSEST: Duration = Duration::from_secs(2);

/// Ends the watch when it is dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    _stop: oneshot::Sender<Infallible>,
}

impl Watcher {
    /// Starts the thread.
    pub(crate) fn spawn(intake: Arc<Intake>, first: FirstLook) -> io::Result<Self> {
        let (stop, mut stopped) = oneshot::channel();
        let mut watch = Watch::new(intake, first);
        let run = move || {
            loop {
                let pool = watch.intake.pool();
                let mut sleep = pool.sleep_until(pool.now().plus(INTERVAL));
                let is_over = block_on(poll_fn(|context| {
                    if Pin::new(&mut stopped).poll(context).is_ready() {
                        return Poll::Ready(true);
                    }
                    sleep.as_mut().poll(context).map(|()| false)
                }));
                drop(sleep);
                if is_over {
                    return;
                }
                // Who is told may panic; the files are watched all the same.
                others::caught(|| watch.look());
            }
        };
        thread::Builder::new().name("egb-watcher".to_owned()).spawn(run)?;
        Ok(Self { _stop: stop })
    }
}

/// What tells one content of each file from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Stamps(Vec<Option<Stamp>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    /// Of the file that links lead to.
    id: FileId,
    length: u64,
    modified: Option<SystemTime>,
    changed: Option<(i64, i64)>,
}

impl Stamps {
    fn of<'a>(files: impl Iterator<Item = &'a Path>) -> Self {
        Self(files.map(|file| fs::metadata(file).ok().map(|found| Stamp::of(&found))).collect())
    }
}

/// What was seen of the files before they were read for the first time. `None` when that is too young to be relied on: a
/// change since may look the same.
#[derive(Debug)]
pub(crate) struct FirstLook(Option<Stamps>);

impl FirstLook {
    pub(crate) fn at<'a>(files: impl Iterator<Item = &'a Path>, utc: SystemTime) -> Self {
        let stamps = Stamps::of(files);
        Self(stamps.0.iter().flatten().all(|stamp| stamp.is_old(utc)).then_some(stamps))
    }
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        let (id, length, modified) = (FileId::in_metadata(found), found.len(), found.modified().ok());
        Self { id, length, modified, changed: changed(found) }
    }

    /// Whether a change since would show.
    fn is_old(&self, utc: SystemTime) -> bool {
        // Any time can be set, the last one there is as well.
        self.modified.and_then(|at| at.checked_add(COARSEST)).is_some_and(|at| at < utc)
    }
}

/// When the file or its permissions changed last: not even a program that sets the time of modification sets this.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have none")]
fn changed(found: &Metadata) -> Option<(i64, i64)> {
    use std::os::unix::fs::MetadataExt;
    Some((found.ctime(), found.ctime_nsec()))
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> Option<(i64, i64)> {
    None
}

/// What was seen so far.
struct Watch {
    intake: Arc<Intake>,
    /// What the keys in the pool were read from, or what was refused; `None` asks for another reading.
    read: Option<Stamps>,
    seen: Stamps,
    /// When `seen` was seen first.
    since: Tick,
    /// The last refusal, which is told once.
    refusal: Option<String>,
}

impl Watch {
    fn new(intake: Arc<Intake>, FirstLook(read): FirstLook) -> Self {
        let (seen, since) = (read.clone().unwrap_or_default(), intake.pool().now());
        Self { intake, read, seen, since, refusal: None }
    }

    fn look(&mut self) {
        let now = self.intake.pool().now();
        let stamps = Stamps::of(self.intake.files());
        if stamps != self.seen {
            (self.seen, self.since) = (stamps, now);
            return;
        }
        if self.read.as_ref() == Some(&self.seen) || now.since(self.since) < SETTLED {
            return;
        }
        // A file that changes while it is read is looked at again.
        match self.intake.reload_while(|| Stamps::of(self.intake.files()) == self.seen) {
            Ok(None) => {}
            Ok(Some(reloaded)) => {
                self.read = Some(self.seen.clone());
                let Reloaded { added, removed, changed, .. } = reloaded;
                if self.refusal.take().is_some() || added + removed + changed > 0 {
                    events::reloaded(added, removed, changed);
                }
            }
            Err(error) => {
                // The content stays as it is until the file changes; the ways to it may come back without a trace.
                self.read = (!is_unreachable(&error)).then(|| self.seen.clone());
                self.since = now.plus(RETRY.saturating_sub(SETTLED));
                let refusal = error.to_string();
                if self.refusal.as_ref() != Some(&refusal) {
                    events::reload_refused(&refusal);
                    self.refusal = Some(refusal);
                }
            }
        }
    }
}

fn is_unreachable(error: &Error) -> bool {
    use KeysFileErrorKind::{Directory, NotAFile, NotFound, Unreadable};
    matches!(error, Error::KeysFile(error) if matches!(error.kind(), NotFound | Directory | NotAFile | Unreadable(_)))
}

#[cfg(test)]
mod tests;
