//! The parameter that takes the key: found by its name or its mark, its type checked as far as tokens tell.

use proc_macro2::Ident;
use syn::visit::{self, Visit};
use syn::{Attribute, FnArg, Lifetime, Pat, PatIdent, PatType, Signature, Token, Type};

use super::arguments::take_lints;
use super::options::Options;
use crate::mistakes::Mistakes;
use crate::tokens::{literal, peel, show};

/// The parameter that the attribute fills.
pub(crate) struct KeyParam {
    pub(crate) ident: Ident,
    pub(crate) mutability: Option<Token![mut]>,
    pub(crate) ty: Type,
    pub(crate) lints: Vec<Attribute>,
    /// Whether the body takes the lease itself.
    pub(crate) is_lease: bool,
}

/// Takes the key's parameter out of the signature: the one marked `#[key]`, else the one named `key` or
/// `keys` (or with a `_` before it), else a `lease: Lease`.
pub(super) fn take_key(sig: &mut Signature, mistakes: &mut Mistakes) -> Option<KeyParam> {
    let marked: Vec<bool> = sig.inputs.iter_mut().map(take_mark).collect();
    let by_mark = marked.contains(&true);
    let by_name = sig.inputs.iter().any(|input| matches!(input, FnArg::Typed(typed) if is_named_key(typed)));
    let mut key = None;
    for (mut input, is_marked) in std::mem::take(&mut sig.inputs).into_iter().zip(marked) {
        match &mut input {
            FnArg::Typed(typed) if is_marked && plain(typed).is_none() => {
                mistakes.at(&typed.pat, "the key's parameter needs a plain name, such as `key`");
                sig.inputs.push(input);
            }
            FnArg::Typed(typed)
                if match (by_mark, by_name) {
                    (true, _) => is_marked,
                    (false, true) => is_named_key(typed),
                    (false, false) => is_named(typed, &["lease"]) && is_lease(peel(&typed.ty)),
                } =>
            {
                add(typed, &mut key, mistakes);
            }
            _ => sig.inputs.push(input),
        }
    }
    if key.is_none() && !by_mark {
        let message = "no parameter takes the key; add `key: &egb::Key`, or `keys: [egb::Key; N]` for several";
        mistakes.at_span(sig.paren_token.span.join(), message);
    }
    key
}

/// Whether the parameter was marked; the mark is for this attribute alone.
fn take_mark(input: &mut FnArg) -> bool {
    let FnArg::Typed(typed) = input else { return false };
    let before = typed.attrs.len();
    typed.attrs.retain(|attr| !attr.path().is_ident("key"));
    typed.attrs.len() < before
}

fn is_named_key(typed: &PatType) -> bool {
    is_named(typed, &["key", "keys"])
}

fn is_named(typed: &PatType, names: &[&str]) -> bool {
    plain(typed).is_some_and(|pattern| {
        let name = pattern.ident.to_string();
        names.contains(&name.trim_start_matches("r#").trim_start_matches('_'))
    })
}

/// `Lease`, by itself or behind references.
fn is_lease(ty: &Type) -> bool {
    match ty {
        Type::Reference(reference) => is_lease(peel(&reference.elem)),
        Type::Path(path) => {
            path.path.segments.last().is_some_and(|last| last.arguments.is_none() && last.ident == "Lease")
        }
        _ => false,
    }
}

fn plain(typed: &PatType) -> Option<&PatIdent> {
    match &*typed.pat {
        Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => Some(pattern),
        _ => None,
    }
}

fn add(typed: &mut PatType, key: &mut Option<KeyParam>, mistakes: &mut Mistakes) {
    if let Some(cfg) = typed.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
        mistakes.at(cfg, "the key's parameter can't be conditional; put the `cfg` on the function");
    }
    let lints = take_lints(&mut typed.attrs);
    let Some(pattern) = plain(typed) else { return };
    match key {
        Some(first) => {
            let message = format!("the key has a parameter already: `{}`; keep one", first.ident);
            mistakes.at(pattern, message);
        }
        None => {
            *key = Some(KeyParam {
                ident: pattern.ident.clone(),
                mutability: pattern.mutability,
                ty: peel(&typed.ty).clone(),
                lints,
                is_lease: is_lease(peel(&typed.ty)),
            });
        }
    }
}

/// False when the type can't be right whatever it is.
pub(super) fn check_key_type(key: &KeyParam, options: &Options, mistakes: &mut Mistakes) -> bool {
    let mut fits = true;
    let mut wrong = |mistake: syn::Error| {
        mistakes.add(mistake);
        fits = false;
    };
    let count = options.keys.as_ref().map_or(Some(1), literal);
    if let Type::Array(array) = &key.ty
        && let (Some(count), Some(len)) = (count, literal(&array.len))
        && count != len
    {
        let message = match &options.keys {
            Some(_) => format!("`keys = {count}` hands over {count}; write `[{}; {count}]`", show(&array.elem)),
            None => format!("one key is handed over by default; write `#[balanced(keys = {len})]`"),
        };
        wrong(syn::Error::new_spanned(&array.len, message));
    }
    if let Type::Reference(reference) = &key.ty
        && key.is_lease
    {
        wrong(syn::Error::new_spanned(reference, "the lease is handed over, not lent; take `lease: egb::Lease`"));
        return fits;
    }
    if let Type::Reference(reference) = &key.ty
        && let Some(mutability) = &reference.mutability
    {
        wrong(syn::Error::new_spanned(mutability, "a key can't be changed; take `&egb::Key`"));
    }
    if let Type::ImplTrait(_) = &key.ty {
        let message = "the key has a type of its own; take `key: egb::Key`, `&egb::Key`, `&str` or `String`";
        wrong(syn::Error::new_spanned(&key.ty, message));
    }
    if let Some(count @ 2..) = count
        && is_single(&key.ty)
    {
        let message = format!(
            "`keys = {count}` hands over {count}; take `keys: [egb::Key; {count}]`, `&[egb::Key]` or `Vec<egb::Key>`"
        );
        wrong(syn::Error::new_spanned(&key.ty, message));
    }
    let mut forever = Forever(None);
    forever.visit_type(&key.ty);
    if let Some(lifetime) = forever.0 {
        let message = "the key is lent for this call; take `key: egb::Key` to keep it for longer";
        wrong(syn::Error::new_spanned(lifetime, message));
    }
    fits
}

/// Whether the type is plainly one for a single key; any other name may be an alias.
fn is_single(ty: &Type) -> bool {
    match peel(ty) {
        Type::Reference(reference) => is_single(&reference.elem),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            last.arguments.is_none() && ["Key", "String", "str"].iter().any(|single| last.ident == single)
        }),
        _ => false,
    }
}

/// The first `'static`.
struct Forever(Option<Lifetime>);

impl Visit<'_> for Forever {
    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident == "static" {
            self.0.get_or_insert_with(|| lifetime.clone());
        }
        visit::visit_lifetime(self, lifetime);
    }
}
