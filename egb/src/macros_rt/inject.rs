//! The types in which keys are handed to a body.

use std::fmt;

use crate::key::{FromKey, Key};
use crate::pool::Held;

/// The keys of an attempt, for a body that borrows them.
pub struct Keys(pub(super) Held);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys").field(&self.0.keys()).finish()
    }
}

/// How `N` keys are handed to the body.
#[diagnostic::on_unimplemented(
    message = "the key can't be handed over as `{Self}`",
    label = "not a type for `keys = {N}`",
    note = "take one key as `key: egb::Key`, `&egb::Key`, `&str` or `String`",
    note = "take `keys = N` as `keys: [egb::Key; N]`, `&[egb::Key]` or `Vec<egb::Key>`",
    note = "a type of your own, made from one key, implements `egb::FromKey`; the guard itself is `lease: egb::Lease`"
)]
pub trait Inject<'l, const N: usize>: Sized {
    /// From the keys of this attempt.
    fn inject(keys: &'l Keys) -> Self;
}

impl<'l> Inject<'l, 1> for &'l Key {
    fn inject(keys: &'l Keys) -> Self {
        keys.0.key()
    }
}

impl Inject<'_, 1> for Key {
    fn inject(keys: &Keys) -> Self {
        keys.0.key().clone()
    }
}

impl<'l> Inject<'l, 1> for &'l str {
    fn inject(keys: &'l Keys) -> Self {
        keys.0.key().expose_secret()
    }
}

impl Inject<'_, 1> for String {
    fn inject(keys: &Keys) -> Self {
        keys.0.key().expose_secret().to_owned()
    }
}

impl<'l, const N: usize> Inject<'l, N> for &'l [Key] {
    fn inject(keys: &'l Keys) -> Self {
        keys.0.keys()
    }
}

impl<const N: usize> Inject<'_, N> for Vec<Key> {
    fn inject(keys: &Keys) -> Self {
        keys.0.keys().to_vec()
    }
}

impl<const N: usize> Inject<'_, N> for [Key; N] {
    fn inject(keys: &Keys) -> Self {
        std::array::from_fn(|at| keys.0.keys()[at].clone())
    }
}

#[diagnostic::do_not_recommend]
impl<T: FromKey> Inject<'_, 1> for T {
    fn inject(keys: &Keys) -> Self {
        T::from_key(keys.0.key())
    }
}
