//! The parameter that takes the key: found by its name, its type checked as far as tokens tell.

use proc_macro2::Ident;
use syn::{Pat, PatType, Type};

use super::options::Options;
use super::tokens::{literal, peel, show};
use crate::mistakes::Mistakes;

/// The parameter that the attribute fills.
pub(crate) struct KeyParam {
    pub(crate) ident: Ident,
    pub(crate) mutable: bool,
    pub(crate) ty: Type,
}

/// A parameter named `key` or `keys`, or with a `_` before it.
pub(super) fn as_key(typed: &PatType) -> Option<KeyParam> {
    let Pat::Ident(pattern) = &*typed.pat else { return None };
    let name = pattern.ident.to_string();
    let is_key = matches!(name.trim_start_matches("r#").trim_start_matches('_'), "key" | "keys");
    (is_key && pattern.by_ref.is_none() && pattern.subpat.is_none()).then(|| KeyParam {
        ident: pattern.ident.clone(),
        mutable: pattern.mutability.is_some(),
        ty: peel(&typed.ty).clone(),
    })
}

/// False when the type can't be right whatever it is.
pub(super) fn check_key_type(key: &KeyParam, options: &Options, mistakes: &mut Mistakes) -> bool {
    let mut fits = true;
    let count = options.keys.as_ref().map_or(Some(1), literal);
    let several = is_several(&key.ty);
    if let Type::Array(array) = &key.ty
        && let (Some(count), Some(len)) = (count, literal(&array.len))
        && count != len
    {
        let message = format!("`keys = {count}` hands over {count}; write `[{}; {count}]`", show(&array.elem));
        mistakes.at(&array.len, message);
        fits = false;
    }
    if let Type::Reference(reference) = &key.ty
        && let Some(mutability) = &reference.mutability
    {
        mistakes.at(mutability, "a key can't be changed; take `&egb::Key`");
        fits = false;
    }
    if let Some(count @ 2..) = count
        && !several
    {
        let message = format!(
            "`keys = {count}` hands over {count}; take `keys: [egb::Key; {count}]`, `&[egb::Key]` or `Vec<egb::Key>`"
        );
        mistakes.at(&key.ty, message);
        fits = false;
    }
    fits
}

/// Whether the type looks like one that holds several keys.
fn is_several(ty: &Type) -> bool {
    match ty {
        Type::Array(_) | Type::Slice(_) => true,
        Type::Reference(reference) => matches!(peel(&reference.elem), Type::Slice(_)),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| !last.arguments.is_none()),
        _ => false,
    }
}
