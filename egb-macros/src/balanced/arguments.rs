//! The other parameters. A call without `retries` leaves them as they are; retries need them again, so
//! that each gets a plain name in the signature and is taken apart anew for each attempt.

use proc_macro2::{Ident, Span};
use quote::{ToTokens, format_ident};
use syn::visit::{self, Visit};
use syn::{
    Attribute, FnArg, Lifetime, Pat, PatIdent, Receiver, ReceiverKind, ReturnType, Signature, Token, Type,
    TypeReference,
};

use super::options::Options;
use crate::mistakes::Mistakes;
use crate::tokens::peel;

/// A parameter that each attempt gets a copy of.
pub(crate) struct Arg {
    /// Its name in the signature.
    pub(crate) name: Ident,
    /// The copy for one attempt.
    pub(crate) again: Ident,
    /// What the body knows it as.
    pub(crate) pattern: Pat,
    pub(crate) ty: Type,
    pub(crate) cfg: Vec<Attribute>,
    pub(crate) lints: Vec<Attribute>,
    /// Those of its names that options read, and so have their use even when the body has none for them.
    pub(crate) in_options: Vec<Ident>,
}

impl Arg {
    /// Whether the signature always had its name.
    pub(crate) fn is_plain(&self) -> bool {
        plain(&self.pattern).is_some()
    }
}

/// A parameter that the body may change: `mut name`.
pub(crate) struct Mutable {
    pub(crate) mutability: Token![mut],
    pub(crate) name: Ident,
    pub(crate) cfg: Vec<Attribute>,
    pub(crate) lints: Vec<Attribute>,
}

/// Takes the `mut` off parameters, for the body to have it.
pub(super) fn take_mutable(sig: &mut Signature) -> Vec<Mutable> {
    let mut mutable = Vec::new();
    for input in &mut sig.inputs {
        if let FnArg::Typed(typed) = input
            && plain(&typed.pat).is_some()
            && let Pat::Ident(pattern) = &mut *typed.pat
            && let Some(mutability) = pattern.mutability.take()
        {
            let name = pattern.ident.clone();
            mutable.push(Mutable { mutability, name, cfg: cfg_of(&typed.attrs), lints: take_lints(&mut typed.attrs) });
        }
    }
    mutable
}

fn cfg_of(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect()
}

/// Takes `#[allow(..)]` and the like off a parameter, for the variable that the body sees instead.
pub(super) fn take_lints(attrs: &mut Vec<Attribute>) -> Vec<Attribute> {
    const LEVELS: [&str; 5] = ["allow", "expect", "warn", "deny", "forbid"];
    attrs.extract_if(.., |attr| LEVELS.iter().any(|level| attr.path().is_ident(level))).collect()
}

/// Whether the call can be made again; the mistakes are said.
pub(super) fn check_repeatable(sig: &Signature, options: &Options, mistakes: &mut Mistakes) -> bool {
    let mut repeatable = true;
    for input in &sig.inputs {
        match input {
            FnArg::Receiver(receiver) if options.hedge.is_some() && !is_shared(receiver) => {
                let message = "with `hedge` two attempts use `self` at the same time; take `&self`, or drop `hedge`";
                mistakes.at(receiver, message);
                repeatable = false;
            }
            FnArg::Typed(typed) if options.hedge.is_some() && is_exclusive(&typed.ty) => {
                let message = "with `hedge` two attempts use this at the same time, and it can only be lent to one; \
                               take `&T`, a value that can be cloned, or a lock, or drop `hedge`";
                mistakes.at(&typed.ty, message);
                repeatable = false;
            }
            FnArg::Receiver(receiver) if is_by_value(receiver) => {
                let message = "a retry would need `self` again, which the first attempt uses up; \
                               take `&self` or `&mut self`, or drop `retries`";
                mistakes.at(receiver, message);
                repeatable = false;
            }
            FnArg::Typed(typed) if plain(&typed.pat).is_none() => {
                if let Some(name) = names_in(&typed.pat).into_iter().find(|name| options.measure_with(name)) {
                    let message = format!(
                        "with `{}`, the pattern is taken apart anew for each attempt, \
                         and a number or a duration can't be read out of it; give `{name}` a parameter of its own",
                        if options.retries() { "retries" } else { "hedge" }
                    );
                    mistakes.at(&typed.pat, message);
                    repeatable = false;
                }
            }
            _ => {}
        }
    }
    if options.hedge.is_none() {
        repeatable &= check_lending(sig, mistakes);
    }
    repeatable
}

/// False, and a mistake, when the result borrows exclusively what the next attempt would need again.
fn check_lending(sig: &Signature, mistakes: &mut Mistakes) -> bool {
    let ReturnType::Type(_, output) = &sig.output else { return true };
    let mut returned = Exclusive::default();
    returned.visit_type(output);
    let mut lent = Exclusive::default();
    match sig.receiver() {
        // Without a lifetime of its own, what is returned is borrowed from `self`.
        Some(receiver) if returned.lifetimes.contains(&None) => lent.visit_receiver(receiver),
        _ => sig.inputs.iter().for_each(|input| lent.visit_fn_arg(input)),
    }
    if !returned.lifetimes.iter().any(|lifetime| lent.lifetimes.contains(lifetime)) {
        return true;
    }
    let message = "a retry would need again what this borrows for its result; \
                   return something that owns what it holds, or drop `retries`";
    mistakes.at(output, message);
    false
}

/// The lifetime of every `&mut`.
#[derive(Default)]
struct Exclusive<'a> {
    lifetimes: Vec<Option<&'a Lifetime>>,
}

impl<'a> Visit<'a> for Exclusive<'a> {
    fn visit_type_reference(&mut self, reference: &'a TypeReference) {
        if reference.mutability.is_some() {
            self.lifetimes.push(reference.lifetime.as_ref());
        }
        visit::visit_type_reference(self, reference);
    }

    fn visit_receiver(&mut self, receiver: &'a Receiver) {
        if let ReceiverKind::Reference(_, lifetime, Some(_)) = &receiver.kind {
            self.lifetimes.push(lifetime.as_ref());
        }
        visit::visit_receiver(self, receiver);
    }
}

fn is_shared(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(_, _, mutability) => mutability.is_none(),
        ReceiverKind::Typed(_, ty) => matches!(peel(ty), Type::Reference(reference) if reference.mutability.is_none()),
        _ => false,
    }
}

fn is_exclusive(ty: &Type) -> bool {
    matches!(peel(ty), Type::Reference(reference) if reference.mutability.is_some())
}

fn is_by_value(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Value => true,
        ReceiverKind::Typed(_, ty) => matches!(peel(ty), Type::Path(path) if path.path.is_ident("Self")),
        _ => false,
    }
}

/// Gives every parameter a plain name in the signature. `_` is left alone: nobody asks for it again.
pub(super) fn name_all(sig: &mut Signature, options: &Options) -> Vec<Arg> {
    let mut args = Vec::new();
    for (position, input) in sig.inputs.iter_mut().enumerate() {
        let FnArg::Typed(typed) = input else { continue };
        if matches!(&*typed.pat, Pat::Wild(_)) {
            continue;
        }
        let pattern = (*typed.pat).clone();
        let name = match plain(&pattern) {
            Some(plain) => plain.ident.clone(),
            None => format_ident!("__arg{position}", span = Span::mixed_site()),
        };
        *typed.pat = Pat::Verbatim(name.to_token_stream());
        args.push(Arg {
            again: format_ident!("__again{position}", span = Span::mixed_site()),
            in_options: names_in(&pattern).into_iter().filter(|name| options.mention(name)).collect(),
            name,
            pattern,
            ty: (*typed.ty).clone(),
            cfg: cfg_of(&typed.attrs),
            lints: take_lints(&mut typed.attrs),
        });
    }
    args
}

/// `name` or `mut name`.
fn plain(pattern: &Pat) -> Option<&PatIdent> {
    match pattern {
        Pat::Ident(plain) if plain.by_ref.is_none() && plain.subpat.is_none() => Some(plain),
        _ => None,
    }
}

fn names_in(pattern: &Pat) -> Vec<Ident> {
    let mut bound = Bound(Vec::new());
    bound.visit_pat(pattern);
    bound.0
}

/// The names that a pattern binds.
struct Bound(Vec<Ident>);

impl Visit<'_> for Bound {
    fn visit_pat_ident(&mut self, pattern: &PatIdent) {
        self.0.push(pattern.ident.clone());
        visit::visit_pat_ident(self, pattern);
    }
}
