//! What is configured about one key: weight, label, group, limits. Its state is elsewhere.

use std::num::NonZeroU32;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::key::Key;
use crate::limits::Limits;
use crate::seldom::Blank;

/// One key and its settings, for [`BalancerBuilder::key`](crate::BalancerBuilder::key).
///
/// ```
/// use egb::{Balancer, KeyConfig};
///
/// let balancer = Balancer::builder()
///     .key(KeyConfig::new("test-key-1").weight(2.0).label("work").rpm(60))
///     .key("test-key-2")
///     .in_memory()
///     .build()?;
/// assert_eq!(balancer.stats().keys[0].label.as_deref(), Some("work"));
/// # Ok::<(), egb::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct KeyConfig {
    pub(crate) key: Key,
    pub(crate) terms: SharedTerms,
}

/// All that is said of a key.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) weight: f64,
    pub(crate) limits: Limits,
    /// Boxed, as most keys of a large pool have none.
    names: Option<Box<Names>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Names {
    label: Option<String>,
    group: Option<String>,
    /// A limit that was set to 0, for `build` to complain about.
    zero: Option<&'static str>,
}

impl Blank for Terms {
    const BLANK: &'static Self =
        &Self { weight: 1.0, limits: Limits { rpm: None, rpd: None, tpm: None, concurrency: None }, names: None };
}

impl Default for Terms {
    fn default() -> Self {
        Self::BLANK.clone()
    }
}

impl PartialEq for Terms {
    fn eq(&self, other: &Self) -> bool {
        self.is_said(other.weight, other.limits, other.names.as_deref())
    }
}

impl Terms {
    /// Whether it says this. A weight is compared to the bit: one that is no number is the same as itself, too.
    fn is_said(&self, weight: f64, limits: Limits, names: Option<&Names>) -> bool {
        self.weight.to_bits() == weight.to_bits() && self.limits == limits && self.names.as_deref() == names
    }

    pub(crate) fn label(&self) -> Option<&str> {
        self.names.as_ref().and_then(|names| names.label.as_deref())
    }

    pub(crate) fn group(&self) -> Option<&str> {
        self.names.as_ref().and_then(|names| names.group.as_deref())
    }
}

/// The [`Terms`] of a key. Most keys of a large pool have the same, and hold them once.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedTerms(Option<Arc<Terms>>);

impl Deref for SharedTerms {
    type Target = Terms;

    fn deref(&self) -> &Terms {
        self.0.as_deref().unwrap_or(Terms::BLANK)
    }
}

impl DerefMut for SharedTerms {
    fn deref_mut(&mut self) -> &mut Terms {
        Arc::make_mut(self.0.get_or_insert_default())
    }
}

impl PartialEq for SharedTerms {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl KeyConfig {
    /// A key with weight 1 and no limits.
    pub fn new(key: impl Into<Key>) -> Self {
        Self { key: key.into(), terms: SharedTerms::default() }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.terms.limits
    }

    pub(crate) fn with_limits(mut self, limits: Limits) -> Self {
        if limits != self.limits() {
            self.terms.limits = limits;
        }
        self
    }

    /// With a label and a group, where there are.
    pub(crate) fn with_names(self, label: Option<&str>, group: Option<&str>) -> Self {
        let labelled = label.into_iter().fold(self, Self::label);
        group.into_iter().fold(labelled, Self::group)
    }

    /// Takes limits where it sets none. Keys that are filled one after another share their terms, if those are the same.
    pub(crate) fn fill(&mut self, defaults: Limits, before: &mut SharedTerms) {
        let limits = self.limits().or(defaults);
        if before.is_said(self.terms.weight, limits, self.terms.names.as_deref()) {
            self.terms.clone_from(before);
            return;
        }
        if self.limits() != limits {
            self.terms.limits = limits;
        }
        before.clone_from(&self.terms);
    }

    /// As [`fill`](Self::fill), all of them.
    pub(crate) fn fill_all(configs: &mut [Self], defaults: Limits) {
        let mut before = SharedTerms::default();
        configs.iter_mut().for_each(|config| config.fill(defaults, &mut before));
    }

    pub(crate) fn label_text(&self) -> Option<&str> {
        self.terms.label()
    }

    pub(crate) fn group_name(&self) -> Option<&str> {
        self.terms.group()
    }

    /// What is printed in place of the key.
    pub(crate) fn shown_names(&self) -> impl Iterator<Item = &str> {
        [self.label_text(), self.group_name()].into_iter().flatten()
    }

    /// The limit that was set to 0.
    pub(crate) fn zero_limit(&self) -> Option<&'static str> {
        self.terms.names.as_ref().and_then(|names| names.zero)
    }

    fn names(&mut self) -> &mut Names {
        self.terms.names.get_or_insert_default()
    }

    /// The key's share of traffic relative to the others: a finite number above 0, which
    /// [`build`](crate::BalancerBuilder::build) checks.
    #[must_use]
    pub fn weight(mut self, weight: f64) -> Self {
        if weight.to_bits() != self.terms.weight.to_bits() {
            self.terms.weight = weight;
        }
        self
    }

    /// A name to show in place of the key. It is printed, logged and stored in the clear:
    /// [`build`](crate::BalancerBuilder::build) refuses one that repeats a key, is empty or holds control characters.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.names().label = Some(label.into());
        self
    }

    /// The account or project that the key belongs to. Keys of one group share one quota, as
    /// [Google's do](https://ai.google.dev/gemini-api/docs/rate-limits) ("Rate limits are applied per project, not
    /// per API key"): their limits are those of the group, the lowest that any of them has, and count the calls of
    /// all; and when one is told to wait for a quota, all wait. A call that runs while its key changes its group runs in
    /// both. What a key used on its own counts in a group that it comes to; what it used in a group stays there when it
    /// leaves. The name is shown, and checked, as a [`label`](Self::label).
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.names().group = Some(group.into());
        self
    }

    /// Requests a minute that the key may serve, in any 60 seconds.
    #[must_use]
    pub fn rpm(mut self, requests: u32) -> Self {
        self.terms.limits.rpm = self.limit("rpm", requests);
        self
    }

    /// Requests a day that the key may serve, counted from midnight of the balancer's time zone
    /// ([`time_zone`](crate::BalancerBuilder::time_zone)).
    #[must_use]
    pub fn rpd(mut self, requests: u32) -> Self {
        self.terms.limits.rpd = self.limit("rpd", requests);
        self
    }

    /// Tokens a minute that the key may spend. A call is charged what calls spent on average, until it says what it
    /// spent: see [`Lease::spent`](crate::Lease::spent).
    #[must_use]
    pub fn tpm(mut self, tokens: u32) -> Self {
        self.terms.limits.tpm = self.limit("tpm", tokens);
        self
    }

    /// Calls that the key may serve at once in this process. Leases count, and keys that are
    /// [fetched](crate::Balancer::key) do not.
    #[must_use]
    pub fn concurrency(mut self, calls: u32) -> Self {
        self.terms.limits.concurrency = self.limit("concurrency", calls);
        self
    }

    fn limit(&mut self, name: &'static str, value: u32) -> Option<NonZeroU32> {
        let limit = NonZeroU32::new(value);
        if limit.is_none() {
            self.names().zero = Some(name);
        }
        limit
    }
}

impl From<Key> for KeyConfig {
    fn from(key: Key) -> Self {
        Self::new(key)
    }
}

impl From<&Key> for KeyConfig {
    fn from(key: &Key) -> Self {
        Self::new(key)
    }
}

impl From<&str> for KeyConfig {
    fn from(key: &str) -> Self {
        Self::new(key)
    }
}

impl From<String> for KeyConfig {
    fn from(key: String) -> Self {
        Self::new(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_shared(one: &KeyConfig, other: &KeyConfig) -> bool {
        matches!((&one.terms.0, &other.terms.0), (Some(one), Some(other)) if Arc::ptr_eq(one, other))
    }

    #[test]
    fn keys_in_a_row_share_what_they_have_in_common_and_nothing_else() {
        let mut configs = [
            KeyConfig::new("test-key-0"),
            KeyConfig::new("test-key-1"),
            KeyConfig::new("test-key-2").rpm(10),
            KeyConfig::new("test-key-3").rpm(7),
            KeyConfig::new("test-key-4").rpm(7).label("work"),
            KeyConfig::new("test-key-5"),
            KeyConfig::new("test-key-6").weight(1.0),
            KeyConfig::new("test-key-7").weight(2.0),
            KeyConfig::new("test-key-8").weight(2.0).rpm(10),
        ];
        KeyConfig::fill_all(&mut configs, Limits::default().with_rpm(10));
        let rpm = |config: &KeyConfig| config.limits().rpm.map(NonZeroU32::get);
        assert_eq!(configs.each_ref().map(rpm), [10, 10, 10, 7, 7, 10, 10, 10, 10].map(Some));
        let labelled = configs.iter().filter_map(KeyConfig::label_text).collect::<Vec<_>>();
        assert_eq!((labelled, configs[4].label_text()), (vec!["work"], Some("work")));
        assert_eq!(configs.each_ref().map(|config| config.terms.weight), [1., 1., 1., 1., 1., 1., 1., 2., 2.]);
        let shared: Vec<bool> = configs.windows(2).map(|pair| is_shared(&pair[0], &pair[1])).collect();
        assert_eq!(shared, [true, true, false, false, false, true, false, true]);
    }

    #[test]
    fn keys_of_one_weight_share_it_even_if_it_is_no_number() {
        assert_eq!(size_of::<KeyConfig>(), 2 * size_of::<usize>());
        assert!(KeyConfig::new("test-key-0").weight(1.0).terms.0.is_none(), "weight 1 needs no terms");
        let no_number = || KeyConfig::new("test-key-0").weight(f64::NAN);
        assert_eq!(no_number(), no_number());
        assert_ne!(no_number(), KeyConfig::new("test-key-0"));
        let mut configs = [no_number(), no_number(), KeyConfig::new("test-key-1")];
        KeyConfig::fill_all(&mut configs, Limits::default());
        assert!(is_shared(&configs[0], &configs[1]) && !is_shared(&configs[1], &configs[2]));
    }

    #[test]
    fn what_is_shared_changes_for_one_key_alone() {
        let one = KeyConfig::new("test-key-0").rpm(10);
        let mut other = KeyConfig::new("test-key-1").rpm(10);
        other.terms.clone_from(&one.terms);
        assert!(is_shared(&one, &other));
        let other = other.rpm(20).group("project");
        assert_eq!((one.limits().rpm.map(NonZeroU32::get), one.group_name()), (Some(10), None));
        assert_eq!((other.limits().rpm.map(NonZeroU32::get), other.group_name()), (Some(20), Some("project")));
        assert_eq!(
            one.with_limits(Limits::default()),
            KeyConfig::new("test-key-0"),
            "no terms and blank ones are the same"
        );
    }
}
