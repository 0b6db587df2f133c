//! Writes what is pending when the process exits, for programs that keep no guard or end by
//! `std::process::exit`. Not for crashes: what they lose is bounded by how often the writer writes.

use std::sync::{Arc, Once, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use super::writer::{Shared, is_own_thread};
use crate::clock::{Clock, SystemClock};

/// How long an exit may wait for the disk, which for tests may be busy with others.
const LIMIT: Duration = Duration::from_secs(if cfg!(test) { 10 } else { 2 });

/// The writers there are, and the process that they run in.
static WRITERS: Mutex<Registry> = Mutex::new(Registry { process: 0, writers: Vec::new() });

struct Registry {
    process: u32,
    writers: Vec<Weak<Shared>>,
}

/// Has the writer asked to write when the process exits.
pub(super) fn register(writer: &Arc<Shared>) {
    static HOOK: Once = Once::new();
    let mut is_refused = false;
    HOOK.call_once(|| is_refused = !shutdown_hooks::add_shutdown_hook(at_exit));
    // Not within the call: who is told may build a balancer.
    if is_refused {
        tracing::warn!(target: "egb", "state is not written at exit; keep the guard of `egb::init` until then");
    }
    let mut registry = WRITERS.lock();
    let process = std::process::id();
    if std::mem::replace(&mut registry.process, process) != process {
        // Those of the parent of a fork have no thread here.
        registry.writers.clear();
    }
    registry.writers.retain(|writer| writer.strong_count() > 0);
    registry.writers.push(Arc::downgrade(writer));
}

/// Runs on the thread that exits, after its thread-local values are gone: it takes locks only for a
/// bounded time, logs nothing and can't panic. The writers' threads still run.
extern "C" fn at_exit() {
    let clock = SystemClock::new();
    // The writer's own thread can't wait for itself.
    if is_own_thread() {
        return;
    }
    let Some(registry) = WRITERS.try_lock_for(LIMIT) else { return };
    // A forked child has no thread that writes.
    if registry.process != std::process::id() {
        return;
    }
    let writers: Vec<_> = registry.writers.iter().filter_map(Weak::upgrade).collect();
    drop(registry);
    let waiting: Vec<_> = writers.iter().map(|writer| writer.request()).collect();
    for waiter in waiting {
        // Nobody is left to tell.
        let _ = waiter.wait(LIMIT.saturating_sub(clock.monotonic()));
    }
}
