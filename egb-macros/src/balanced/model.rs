//! What is to be expanded: the checked function and its options. Every mistake that can be seen
//! without types is found here.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Attribute, Type};

use super::arguments::{Arg, Mutable, check_repeatable, name_all, take_mutable};
use super::function::{Body, Function};
use super::generics::{check_borrow_of_key, drop_lifetimes_of, without_lifetimes};
use super::key::{KeyParam, check_key_type, take_key};
use super::options::Options;
use super::output::output_of;
use super::shape::Shape;
use crate::mistakes::Mistakes;

pub(crate) struct Model {
    pub(crate) function: Function,
    pub(crate) options: Options,
    pub(crate) key: KeyParam,
    /// Those that a retry needs again; none without `retries`.
    pub(crate) args: Vec<Arg>,
    /// Those that the body may change.
    pub(crate) mutable: Vec<Mutable>,
    pub(crate) shape: Shape,
    /// What an attempt returns, with `_` for each `impl Trait`.
    pub(crate) output: Type,
}

impl Model {
    /// `Err` is what to emit in place of the expansion, beside at least one mistake: a function that
    /// callers can still call.
    pub(crate) fn check(
        mut function: Function,
        mut options: Options,
        mistakes: &mut Mistakes,
    ) -> Result<Self, TokenStream> {
        check_kind(&function, mistakes);
        if options.repeats() && !check_repeatable(&function.sig, &options, mistakes) {
            (options.retries, options.hedge) = (None, None);
        }
        let key = take_key(&mut function.sig, mistakes);
        let Some(key) = key else { return Err(function.tokens()) };
        if let Type::Array(array) = &key.ty
            && options.keys_are_wrong()
        {
            // Its length says what was meant.
            options.keys = Some(array.len.clone());
        }
        let is_async = function.sig.asyncness.is_some()
            || matches!(&function.body, Body::Block(block) if !matches!(Shape::of(&function.sig, block), Shape::Sync(_)));
        options.check_together(is_async, mistakes);
        if let Some(hedge) = options.names("hedge").filter(|_| key.is_lease) {
            let message = "with `hedge` the lease of the slower attempt is taken back, so that the body can't have it; \
                           take the key itself: `key: Key`";
            mistakes.at(hedge, message);
            options.hedge = None;
        }
        let mut fits = check_key_type(&key, &options, mistakes);
        fits &= check_borrow_of_key(&key.ty, &function.sig, mistakes);
        drop_lifetimes_of(&key.ty, &mut function.sig);
        let ty = match key.ty {
            // Not a type that a variable could have.
            Type::ImplTrait(_) => syn::parse_quote!(()),
            ty => without_lifetimes(ty),
        };
        let key = KeyParam { ty, ..key };
        let shape = match &function.body {
            Body::Semicolon(semicolon) => {
                let message = "a method without a body has nothing to give a key to; \
                               put `#[balanced]` on the methods of the impls";
                mistakes.at(semicolon, message);
                None
            }
            Body::Block(block) => Some(Shape::of(&function.sig, block)),
        };
        let output = shape.as_ref().and_then(|shape| output_of(&function.sig, shape, mistakes));
        match (shape, output) {
            (Some(mut shape), Some(output)) if fits && function.is_expandable() => {
                let (mut args, mutable) = (Vec::new(), take_mutable(&mut function.sig));
                shape.use_in_body(&options);
                if options.repeats() {
                    args = name_all(&mut function.sig, &options);
                    shape.keep_receiver(&function.sig, &options.private());
                }
                Ok(Self { function, options, key, args, mutable, shape, output })
            }
            _ => Err(function.without_expansion(&key)),
        }
    }
}

impl Function {
    fn tokens(&self) -> TokenStream {
        let Self { attrs, vis, defaultness, sig, body } = self;
        let body = match body {
            Body::Block(block) => block.to_token_stream(),
            Body::Semicolon(semicolon) => semicolon.to_token_stream(),
        };
        quote!(#(#attrs)* #vis #defaultness #sig #body)
    }

    /// The function as its callers see it, with a key that never comes: it type-checks, so that there
    /// are no echoes.
    fn without_expansion(&self, key: &KeyParam) -> TokenStream {
        let Self { attrs, vis, defaultness, sig, body } = self;
        let attrs = attrs.iter().filter(|attr| !is_balanced(attr));
        let KeyParam { ident, ty, lints, .. } = key;
        let some = Ident::new("__key", Span::mixed_site());
        let body = match body {
            Body::Block(block) => {
                let tokens = block.stream();
                quote!({
                    #(#lints)*
                    let #ident = match ::core::option::Option::None::<#ty> {
                        ::core::option::Option::Some(#some) => #some,
                        ::core::option::Option::None => ::core::panic!(),
                    };
                    #tokens
                })
            }
            Body::Semicolon(semicolon) => semicolon.to_token_stream(),
        };
        quote!(#(#attrs)* #vis #defaultness #sig #body)
    }

    /// Whether an expansion could type-check at all.
    fn is_expandable(&self) -> bool {
        self.sig.constness.is_none() && self.sig.variadic.is_none() && !self.attrs.iter().any(is_balanced)
    }
}

fn is_balanced(attr: &Attribute) -> bool {
    attr.path().segments.last().is_some_and(|last| last.ident == "balanced")
}

fn check_kind(function: &Function, mistakes: &mut Mistakes) {
    let sig = &function.sig;
    if let Some(constness) = &sig.constness {
        mistakes.at(constness, "a const fn can't choose a key, which happens at run time; drop the `const`");
    }
    if let Some(abi) = sig.abi.as_ref().filter(|abi| abi.name.as_ref().is_none_or(|name| name.value() != "Rust")) {
        mistakes.at(abi, "an extern fn can't leave out a parameter that its callers pass; write a wrapper around it");
    }
    if let Some(variadic) = &sig.variadic {
        mistakes.at(variadic, "a variadic function can't be balanced; write a wrapper around it");
    }
    if let Some(twice) = function.attrs.iter().find(|attr| is_balanced(attr)) {
        mistakes.at(twice, "`#[balanced]` stands here twice; keep one");
    }
}
