//! stub
use super::*;
#[derive(Debug)]
pub(crate) struct Sqlite;
impl Sqlite {
    pub(crate) fn open(_: &Path) -> Result<Self, StoreError> {
        Ok(Self)
    }
}
impl Store for Sqlite {
    fn load(&mut self) -> Result<Vec<Record>, StoreError> {
        Ok(vec![])
    }
    fn apply(&mut self, _: &[Change]) -> Result<(), StoreError> {
        Ok(())
    }
    fn changes_by_others(&mut self) -> Result<Vec<Record>, StoreError> {
        Ok(vec![])
    }
}
