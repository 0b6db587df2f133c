//! In place of `seal.rs` where the feature `seal` is off: nothing can be sealed or opened.

use rusqlite::Connection;
use zeroize::Zeroizing;

use super::StoreErrorKind;
use super::schema::Refusal;
use crate::key::Fingerprint;

/// There is none.
#[derive(Clone, Debug)]
pub(crate) enum Seal {}

#[derive(Debug)]
pub(super) enum Sealer {}

impl Seal {
    pub(super) fn attach(&self, _: &mut Connection) -> Result<Sealer, Refusal> {
        match *self {}
    }
}

impl Sealer {
    pub(super) fn seal(&self, _: Fingerprint, _: &str) -> Result<Vec<u8>, StoreErrorKind> {
        match *self {}
    }

    pub(super) fn open(&self, _: Fingerprint, _: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match *self {}
    }
}
