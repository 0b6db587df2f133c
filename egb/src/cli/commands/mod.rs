//! The commands, a file each: its options, what it does, and what it prints.

pub(crate) mod add;
pub(crate) mod check;
pub(crate) mod cleanup;
pub(crate) mod completions;
pub(crate) mod db;
pub(crate) mod disable;
pub(crate) mod enable;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod monitor;
pub(crate) mod remove;
pub(crate) mod reset;
pub(crate) mod stats;
pub(crate) mod weight;
