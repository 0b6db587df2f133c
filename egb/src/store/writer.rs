//! placeholder
use super::*;
pub(crate) trait Journal: Send + Sync + 'static {}
pub(crate) struct Writer;
