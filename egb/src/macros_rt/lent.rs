//! The lease of a running call: kept by the expansion, or lent to a body that takes it as `egb::Lease`.

use std::fmt;
use std::sync::Arc;

use crate::lease::{Desk, Lease, LeaseCore, Settled};
use crate::outcome::Verdict;
use crate::pool::{Held, ScopeId};
use crate::sync::Mutex;

/// A call that runs.
#[expect(private_interfaces, reason = "named by no code but egb's own; the expansion passes it on")]
pub trait Running {
    /// Its keys.
    #[doc(hidden)]
    fn held(&self) -> &Held;
    /// Its keys, to be taken while its body runs and put back after.
    #[doc(hidden)]
    fn held_mut(&mut self) -> &mut Option<Held>;
    /// In which scope it runs.
    #[doc(hidden)]
    fn scope(&self) -> ScopeId;
    /// Ends it, unless the body has.
    #[doc(hidden)]
    fn end(self, verdict: &Verdict) -> Settled;
}

#[expect(private_interfaces, reason = "as above")]
impl Running for LeaseCore {
    fn held(&self) -> &Held {
        self.held()
    }
    fn held_mut(&mut self) -> &mut Option<Held> {
        self.held_mut()
    }
    fn scope(&self) -> ScopeId {
        self.scope()
    }
    fn end(self, verdict: &Verdict) -> Settled {
        self.settle(verdict)
    }
}

/// A call whose body has the lease. When the body drops it without an end, it comes back and is judged by
/// the result; when the body keeps it (in a stream, in a task), that is where it ends.
pub struct Lent {
    desk: Arc<Desk>,
    held: Option<Held>,
    scope: ScopeId,
}

/// Gives a lease to the body.
pub fn lend(core: LeaseCore) -> (Lent, Lease) {
    let desk: Arc<Desk> = Arc::new(Mutex::new(None));
    let lent = Lent { held: Some(core.held().clone()), scope: core.scope(), desk: Arc::clone(&desk) };
    (lent, Lease::lent(core, &desk))
}

#[expect(private_interfaces, reason = "as above")]
impl Running for Lent {
    fn held(&self) -> &Held {
        self.held.as_ref().expect("a call has its keys, and who asks is not its body")
    }
    fn held_mut(&mut self) -> &mut Option<Held> {
        &mut self.held
    }
    fn scope(&self) -> ScopeId {
        self.scope
    }
    fn end(self, verdict: &Verdict) -> Settled {
        let back = self.desk.lock().take();
        back.map_or(Settled::Done, |core| core.settle(verdict))
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}
