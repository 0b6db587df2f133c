//! placeholder
pub(crate) struct Sqlite;
