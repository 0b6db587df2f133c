//! The types in which keys are handed to a body.

use crate::key::{FromKey, Key};
use crate::lease::LeaseCore;

/// How `N` keys are handed to the body.
#[diagnostic::on_unimplemented(
    message = "the key can't be handed over as `{Self}`",
    label = "not a type for `keys = {N}`",
    note = "take one key as `key: egb::Key`, `&egb::Key`, `&str` or `String`",
    note = "take `keys = N` as `keys: [egb::Key; N]`, `&[egb::Key]` or `Vec<egb::Key>`",
    note = "a type of your own, made from one key, implements `egb::FromKey`; the guard itself is `lease: egb::Lease`"
)]
pub trait Inject<'l, const N: usize>: Sized {
    /// From the lease of this attempt.
    fn inject(lease: &'l LeaseCore) -> Self;
}

impl<'l> Inject<'l, 1> for &'l Key {
    fn inject(lease: &'l LeaseCore) -> Self {
        lease.key()
    }
}

impl Inject<'_, 1> for Key {
    fn inject(lease: &LeaseCore) -> Self {
        lease.key().clone()
    }
}

impl<'l> Inject<'l, 1> for &'l str {
    fn inject(lease: &'l LeaseCore) -> Self {
        lease.key().expose_secret()
    }
}

impl Inject<'_, 1> for String {
    fn inject(lease: &LeaseCore) -> Self {
        lease.key().expose_secret().to_owned()
    }
}

impl<'l, const N: usize> Inject<'l, N> for &'l [Key] {
    fn inject(lease: &'l LeaseCore) -> Self {
        lease.keys()
    }
}

impl<const N: usize> Inject<'_, N> for Vec<Key> {
    fn inject(lease: &LeaseCore) -> Self {
        lease.keys().to_vec()
    }
}

impl<const N: usize> Inject<'_, N> for [Key; N] {
    fn inject(lease: &LeaseCore) -> Self {
        std::array::from_fn(|at| lease.keys()[at].clone())
    }
}

#[diagnostic::do_not_recommend]
impl<T: FromKey> Inject<'_, 1> for T {
    fn inject(lease: &LeaseCore) -> Self {
        T::from_key(lease.key())
    }
}
