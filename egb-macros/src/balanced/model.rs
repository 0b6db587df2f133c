//! What is to be expanded: the checked function and its options. Every mistake that can be seen
//! without types is found here.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{Attribute, FnArg, Pat, PatType, ReceiverKind, Signature, Type};

use super::function::{Body, Function};
use super::generics::{drop_lifetimes_of, without_lifetimes};
use super::key::{KeyParam, as_key, check_key_type};
use super::options::Options;
use super::output::{Output, output_of};
use super::tokens::literal;
use crate::mistakes::Mistakes;

pub(crate) struct Model {
    pub(crate) function: Function,
    pub(crate) options: Options,
    pub(crate) key: KeyParam,
    pub(crate) args: Vec<Arg>,
    pub(crate) shape: Shape,
    pub(crate) output: Output,
}

/// Another parameter, as far as the body is concerned.
pub(crate) enum Arg {
    /// `name: T` or `mut name: T`.
    Plain { ident: Ident, mutable: bool, ty: Type, cfg: Vec<Attribute> },
    /// `pattern: T`: the signature gets a name, the body takes it apart.
    Pattern { hidden: Ident, pattern: Pat, ty: Type, cfg: Vec<Attribute> },
}

/// Where the body is.
pub(crate) enum Shape {
    Sync(Group),
    Async(Group),
    /// What `#[async_trait]` makes of an async fn: `Box::pin(async move { .. })`.
    Boxed {
        before: TokenStream,
        block: Group,
    },
}

impl Model {
    /// `Err` is what to emit in place of the expansion: a function that callers can still call.
    pub(crate) fn check(
        mut function: Function,
        options: Options,
        mistakes: &mut Mistakes,
    ) -> Result<Self, TokenStream> {
        let original = function.tokens();
        check_kind(&function, mistakes);
        let (key, args) = take_parameters(&mut function.sig, mistakes);
        let mut fits = true;
        if let Some(key) = &key {
            fits = check_key_type(key, &options, mistakes);
            drop_lifetimes_of(&key.ty, &mut function.sig);
        }
        check_receiver(&function.sig, &options, mistakes);
        let shape = match &function.body {
            Body::Semicolon(semicolon) => {
                let message = "a method without a body has nothing to give a key to; \
                               put `#[balanced]` on the methods of the impls";
                mistakes.at(semicolon, message);
                None
            }
            Body::Block(block) => Some(shape_of(&function.sig, block)),
        };
        let output = shape.as_ref().and_then(|shape| output_of(&function.sig, shape, mistakes));
        match (key, shape, output) {
            (Some(key), Some(shape), Some(output)) if fits && function.is_expandable() => Ok(Self {
                key: KeyParam { ty: without_lifetimes(key.ty), ..key },
                function,
                options,
                args,
                shape,
                output,
            }),
            (None, ..) => Err(original),
            (Some(key), ..) => Err(function.without_expansion(&key)),
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
        let (ident, ty) = (&key.ident, without_lifetimes(key.ty.clone()));
        let some = Ident::new("__key", Span::mixed_site());
        let body = match body {
            Body::Block(block) => {
                let tokens = block.stream();
                quote!({
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

/// Takes the key's parameter out of the signature, and gives patterns a name there.
fn take_parameters(sig: &mut Signature, mistakes: &mut Mistakes) -> (Option<KeyParam>, Vec<Arg>) {
    let mut key: Option<KeyParam> = None;
    let mut args = Vec::new();
    for (position, input) in std::mem::take(&mut sig.inputs).into_iter().enumerate() {
        let mut typed = match input {
            FnArg::Receiver(_) => {
                sig.inputs.push(input);
                continue;
            }
            FnArg::Typed(typed) => typed,
        };
        if let Some(param) = as_key(&typed) {
            if let Some(cfg) = typed.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
                mistakes.at(cfg, "the key's parameter can't be conditional; put the `cfg` on the function");
            }
            match &key {
                None => key = Some(param),
                Some(first) => {
                    let message = format!("the key has a parameter already: `{}`; keep one", first.ident);
                    mistakes.at(&typed.pat, message);
                }
            }
            continue;
        }
        args.extend(name_argument(&mut typed, position));
        sig.inputs.push(FnArg::Typed(typed));
    }
    if key.is_none() {
        let message = "no parameter takes the key; add `key: &egb::Key`, or `keys: [egb::Key; N]` for several";
        mistakes.at_span(sig.paren_token.span.join(), message);
    }
    (key, args)
}

/// Leaves a plain name in the signature. `None` for `_`, which nobody asks for.
fn name_argument(typed: &mut PatType, position: usize) -> Option<Arg> {
    let cfg: Vec<Attribute> = typed.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect();
    let ty = (*typed.ty).clone();
    match &mut *typed.pat {
        Pat::Wild(_) => None,
        Pat::Ident(plain) if plain.by_ref.is_none() && plain.subpat.is_none() => {
            let mutable = plain.mutability.take().is_some();
            Some(Arg::Plain { ident: plain.ident.clone(), mutable, ty, cfg })
        }
        pattern => {
            let hidden = format_ident!("__arg{position}", span = Span::mixed_site());
            let name = Pat::Verbatim(hidden.to_token_stream());
            let pattern = std::mem::replace(pattern, name);
            Some(Arg::Pattern { hidden, pattern, ty, cfg })
        }
    }
}

fn check_receiver(sig: &Signature, options: &Options, mistakes: &mut Mistakes) {
    if let (Some(FnArg::Receiver(receiver)), true) = (sig.inputs.first(), options.retries()) {
        let by_value = matches!(receiver.kind, ReceiverKind::Value);
        if by_value {
            let message = "a retry would need `self` again, which the first attempt uses up; \
                           take `&self` or `&mut self`, or drop `retries`";
            mistakes.at(receiver, message);
        }
    }
}

impl Options {
    /// Whether there can be a second attempt.
    pub(crate) fn retries(&self) -> bool {
        self.retries.as_ref().is_some_and(|retries| literal(retries) != Some(0))
    }
}

fn shape_of(sig: &Signature, block: &Group) -> Shape {
    if sig.asyncness.is_some() {
        return Shape::Async(block.clone());
    }
    boxed(block).unwrap_or_else(|| Shape::Sync(block.clone()))
}

/// `{ Box::pin(async move { .. }) }`
fn boxed(block: &Group) -> Option<Shape> {
    let mut before: Vec<TokenTree> = block.stream().into_iter().collect();
    let Some(TokenTree::Group(argument)) = before.pop() else { return None };
    let path: String = before.iter().map(ToString::to_string).collect();
    if argument.delimiter() != Delimiter::Parenthesis || !path.ends_with("Box::pin") {
        return None;
    }
    let future: Vec<TokenTree> = argument.stream().into_iter().collect();
    match &future[..] {
        [TokenTree::Ident(first), TokenTree::Ident(second), TokenTree::Group(block)]
            if first == "async" && second == "move" && block.delimiter() == Delimiter::Brace =>
        {
            Some(Shape::Boxed { before: before.into_iter().collect(), block: block.clone() })
        }
        _ => None,
    }
}
