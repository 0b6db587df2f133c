//! The keys that code gives, kept for as long as the balancer is: eight bytes each, and their terms once where neighbours
//! have the same. Does not judge them.

use std::iter::repeat_n;

use crate::config::{KeyConfig, SharedTerms};
use crate::key::Key;

/// Keys in the order in which they were given.
#[derive(Debug, Default)]
pub(super) struct Given {
    keys: Vec<Key>,
    runs: Vec<Run>,
}

/// So many keys in a row that have the same terms.
#[derive(Debug)]
struct Run {
    terms: SharedTerms,
    keys: usize,
}

impl Given {
    pub(super) fn push(&mut self, config: KeyConfig) {
        let KeyConfig { key, terms } = config;
        match self.runs.last_mut() {
            Some(run) if run.terms == terms => run.keys += 1,
            _ => self.runs.push(Run { terms, keys: 1 }),
        }
        self.keys.push(key);
    }

    /// All of them. Keys of one run share their terms.
    pub(super) fn configs(&self) -> Vec<KeyConfig> {
        let terms = self.runs.iter().flat_map(|run| repeat_n(&run.terms, run.keys));
        let config = |(key, terms): (&Key, &SharedTerms)| KeyConfig { key: key.clone(), terms: terms.clone() };
        let mut configs = Vec::with_capacity(self.keys.len());
        configs.extend(self.keys.iter().zip(terms).map(config));
        configs
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.keys.shrink_to_fit();
        self.runs.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn given(configs: impl IntoIterator<Item = KeyConfig>) -> Given {
        let mut given = Given::default();
        configs.into_iter().for_each(|config| given.push(config));
        given
    }

    /// One of few, so that neighbours often have the same terms.
    fn config(key: u8, terms: u8) -> KeyConfig {
        let config = KeyConfig::new(format!("test-key-{key}"));
        match terms {
            0 => config.weight(2.0),
            1 => config.rpm(10),
            2 => config.label("work"),
            3 => config.weight(f64::NAN),
            4 => config.rpm(0),
            _ => config,
        }
    }

    proptest! {
        #[test]
        fn what_is_pushed_is_what_is_read(of in vec((0..20_u8, 0..7_u8), 0..60)) {
            let configs: Vec<KeyConfig> = of.into_iter().map(|(key, terms)| config(key, terms)).collect();
            let given = given(configs.clone());
            let changes = configs.windows(2).filter(|pair| pair[0].terms != pair[1].terms).count();
            prop_assert_eq!(given.runs.len(), changes + usize::from(!configs.is_empty()));
            prop_assert_eq!(given.configs(), configs);
        }
    }

    #[test]
    fn keys_of_the_same_terms_take_eight_bytes_each() {
        const KEYS: usize = 1000;
        assert!(size_of::<Key>() <= 8);
        for terms in [0, 1, 2, 5] {
            // Each comes with terms of its own.
            let mut given = given((0..KEYS).map(|_| config(0, terms)));
            given.shrink_to_fit();
            assert_eq!((given.keys.capacity(), given.runs.capacity()), (KEYS, 1));
        }
    }
}
