//! The attribute `#[balanced]` and the derive `StatusCode` of the crate `egb`, which re-exports both
//! and holds what the expanded code calls. Nothing else should depend on this crate.
//!
//! Both go the same way: parse what the user wrote, check it into a model (all mistakes at once),
//! expand the model. On a mistake they still expand something that type-checks, so that the user sees
//! the mistake and not its echoes.

use proc_macro::TokenStream;

mod balanced;
mod derive;
mod mistakes;
#[cfg(test)]
mod random_input;
#[cfg(test)]
mod snapshots;
mod tokens;

/// Hands a key to a function and learns from what it returns. See `egb::balanced`.
#[proc_macro_attribute]
pub fn balanced(options: TokenStream, item: TokenStream) -> TokenStream {
    balanced::balanced(options.into(), &item.into()).into()
}

/// Implements `egb::StatusCode` for an error type. See `egb::StatusCode`.
#[proc_macro_derive(StatusCode, attributes(status, retry_after, source))]
pub fn derive_status_code(item: TokenStream) -> TokenStream {
    derive::status_code(item.into()).into()
}
