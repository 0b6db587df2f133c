//! The commands, a file each: its options, what it does, and what it prints.

pub(crate) mod check;
pub(crate) mod list;
pub(crate) mod monitor;
pub(crate) mod stats;
