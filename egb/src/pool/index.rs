//! Which slot the key of a name has. The names are asked for, as the keys have them: this holds nothing but the numbers of
//! slots.

use std::hash::{BuildHasher, BuildHasherDefault};

use hashbrown::HashTable;

use crate::key::{Fingerprint, FirstBytes};
use crate::schedule::SlotId;

/// Who asks it says whose each slot is that is in it.
#[derive(Default)]
pub(super) struct Index(HashTable<SlotId>);

impl Index {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Makes room for so many more.
    pub(super) fn reserve(&mut self, more: usize, name_of: impl Fn(SlotId) -> Fingerprint) {
        self.0.reserve(more, |&id| hash(&name_of(id)));
    }

    pub(super) fn get(&self, name: &Fingerprint, name_of: impl Fn(SlotId) -> Fingerprint) -> Option<SlotId> {
        self.0.find(hash(name), |&id| name_of(id) == *name).copied()
    }

    /// Takes a slot in, of whose name there is none yet.
    pub(super) fn insert(&mut self, id: SlotId, name_of: impl Fn(SlotId) -> Fingerprint) {
        self.0.insert_unique(hash(&name_of(id)), id, |&id| hash(&name_of(id)));
    }

    /// Before the slot is another's.
    pub(super) fn remove(&mut self, id: SlotId, name: &Fingerprint) {
        if let Ok(found) = self.0.find_entry(hash(name), |&known| known == id) {
            found.remove();
        }
    }
}

fn hash(name: &Fingerprint) -> u64 {
    BuildHasherDefault::<FirstBytes>::default().hash_one(name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Some begin alike, and so have the same hash.
    fn name(number: u8) -> Fingerprint {
        let mut bytes = [0; 16];
        (bytes[0], bytes[15]) = (number / 4, number % 4);
        Fingerprint::from_bytes(bytes)
    }

    proptest! {
        /// Each step puts a key in if it is not there, and out if it is.
        #[test]
        fn it_knows_what_a_map_would_know(steps in vec(any::<u8>(), 1..600), room in 0..50_usize) {
            let (mut index, mut map) = (Index::default(), HashMap::new());
            // By slot. One that is vacant has no name: nobody may ask for it.
            let mut names: Vec<Option<Fingerprint>> = Vec::new();
            let mut vacant = Vec::new();
            index.reserve(room, |_| unreachable!("nothing is in it"));
            for name in steps.into_iter().map(name) {
                if let Some(id) = map.remove(&name) {
                    index.remove(id, &name);
                    names[id as usize] = None;
                    vacant.push(id);
                } else {
                    let id = vacant.pop().unwrap_or_else(|| {
                        names.push(None);
                        SlotId::try_from(names.len() - 1).unwrap()
                    });
                    names[id as usize] = Some(name);
                    index.insert(id, |id| names[id as usize].unwrap());
                    map.insert(name, id);
                }
                prop_assert_eq!(index.len(), map.len());
            }
            for name in (0..=u8::MAX).map(name) {
                prop_assert_eq!(index.get(&name, |id| names[id as usize].unwrap()), map.get(&name).copied());
            }
        }
    }

    #[test]
    fn a_key_takes_a_quarter_of_what_it_takes_with_its_name() {
        let mut index = Index::default();
        index.reserve(100_000, |_| unreachable!("nothing is in it"));
        assert!(index.0.allocation_size() < 700_000, "{}", index.0.allocation_size());
    }
}
