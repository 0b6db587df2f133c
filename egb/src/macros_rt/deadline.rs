//! `deadline = ..`: the time that a call has in all.

use std::time::Duration;

use crate::balancer::Balancer;
use crate::clock::Tick;

/// When a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Tick);

impl Deadline {
    /// There is none.
    pub const NEVER: Self = Self(Tick(u64::MAX));

    pub(super) fn after(within: Duration, balancer: &Balancer) -> Self {
        Self(balancer.pool().now().plus(within))
    }

    pub(super) fn tick(self) -> Tick {
        self.0
    }
}
