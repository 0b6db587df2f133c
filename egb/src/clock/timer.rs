//! Timers that work on any executor: tokio's, driven by a thread of egb's own that starts with the first
//! one. A runtime of the program's might have no timers, stand still, or be another one than tokio's.

use std::thread;
use std::time::Duration;

use once_cell::sync::OnceCell;
use tokio::runtime::{Builder, Handle};
use tokio::time;

use super::Sleep;

/// Set once the thread runs; a failure to start it is tried again.
static TIMERS: OnceCell<Handle> = OnceCell::new();

/// A future that is ready after `wait`.
pub(super) fn sleep(wait: Duration) -> Sleep {
    match TIMERS.get_or_try_init(start) {
        Ok(timers) => {
            let _entered = timers.enter();
            Box::pin(time::sleep(wait))
        }
        Err(error) => {
            tracing::warn!(target: "egb", %error, "can't start the thread for timers; this thread waits instead");
            Box::pin(async move { thread::sleep(wait) })
        }
    }
}

fn start() -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let handle = runtime.handle().clone();
    let run = move || runtime.block_on(std::future::pending::<()>());
    thread::Builder::new().name("egb-timers".to_owned()).spawn(run)?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn it_sleeps_outside_of_any_runtime_and_inside_of_one_without_timers() {
        let wait = Duration::from_millis(20);
        let start = Instant::now();
        crate::checkout::block_on(sleep(wait));
        let bare = Builder::new_current_thread().build().unwrap();
        bare.block_on(sleep(wait));
        assert!(start.elapsed() >= 2 * wait);
    }
}
