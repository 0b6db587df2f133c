//! Where the body is: in the function's braces, or in the boxed future that `#[async_trait]` made of them.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{ReceiverKind, Signature, Type};

use super::options::Options;
use crate::tokens::peel;

pub(crate) enum Shape {
    Sync(Group),
    Async(Group),
    /// What `#[async_trait]` makes of an async fn: `Box::pin(async move { .. })`.
    Boxed {
        before: TokenStream,
        block: Group,
    },
}

impl Shape {
    pub(super) fn of(sig: &Signature, block: &Group) -> Self {
        if sig.asyncness.is_some() {
            return Self::Async(block.clone());
        }
        boxed(block).unwrap_or_else(|| Self::Sync(block.clone()))
    }

    /// The braces of the body.
    pub(crate) fn block(&self) -> &Group {
        let (Self::Sync(block) | Self::Async(block) | Self::Boxed { block, .. }) = self;
        block
    }

    /// `#[async_trait]` begins the body with `let name = name;` for each argument. One that options read has
    /// its use, even when the body has none for it.
    pub(super) fn use_in_body(&mut self, options: &Options) {
        let Self::Boxed { block, .. } = self else { return };
        let tokens: Vec<TokenTree> = block.stream().into_iter().collect();
        let mut used = TokenStream::new();
        for (at, token) in tokens.iter().enumerate() {
            used.extend([token.clone()]);
            let statement = at.checked_sub(4).map(|start| &tokens[start..=at]);
            if let Some(
                [TokenTree::Ident(r#let), TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Ident(value), end],
            ) = statement
                && r#let == "let"
                && name == value
                && end.to_string() == ";"
                && options.mention(name)
            {
                used.extend(quote_spanned!(Span::mixed_site()=> let _ = #name;));
            }
        }
        let mut kept = Group::new(Delimiter::Brace, used);
        kept.set_span(block.span());
        *block = kept;
    }

    /// Lets the body run more than once: `#[async_trait]` begins it with `let __self = self;`, which would
    /// use up a receiver that is not `Copy`.
    pub(super) fn keep_receiver(&mut self, sig: &Signature, private: &TokenStream) {
        let (Self::Boxed { block, .. }, Some(receiver)) = (self, sig.receiver()) else { return };
        let this = receiver.self_token;
        let reborrow = quote_spanned!(Span::mixed_site()=> &mut *#this);
        let again = match &receiver.kind {
            ReceiverKind::Reference(_, _, Some(_)) => reborrow,
            ReceiverKind::Typed(_, ty) => match peel(ty) {
                Type::Reference(reference) if reference.mutability.is_some() => reborrow,
                Type::Reference(_) => return,
                _ => quote_spanned!(Span::mixed_site()=> #private::Again::again(&#this)),
            },
            _ => return,
        };
        let mut kept = Group::new(Delimiter::Brace, replace_receiver(block.stream(), &again));
        kept.set_span(block.span());
        *block = kept;
    }
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

/// Writes `again` for the `self` of the first `let __self = self;`.
fn replace_receiver(body: TokenStream, again: &TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = body.into_iter().collect();
    let is = |token: &TokenTree, text: &str| token.to_string() == text;
    let found = tokens.windows(4).position(|window| {
        is(&window[0], "__self") && is(&window[1], "=") && is(&window[2], "self") && is(&window[3], ";")
    });
    let Some(at) = found else { return tokens.into_iter().collect() };
    let (before, rest) = tokens.split_at(at + 2);
    let before = before.iter().map(ToTokens::to_token_stream);
    let after = rest[1..].iter().map(ToTokens::to_token_stream);
    quote!(#(#before)* #again #(#after)*)
}

#[cfg(test)]
mod tests {
    use syn::parse::{Parse, Parser};

    use super::*;

    fn boxed_body(body: &TokenStream) -> Shape {
        let TokenTree::Group(block) = quote!({ Box::pin(async move { #body }) }).into_iter().next().unwrap() else {
            unreachable!("braces")
        };
        boxed(&block).unwrap()
    }

    #[test]
    fn a_receiver_that_is_used_up_is_taken_again() {
        for (receiver, taken) in [
            (quote!(&self), quote!(self)),
            (quote!(&'life0 mut self), quote!(&mut *self)),
            (quote!(self: &mut Self), quote!(&mut *self)),
            (quote!(self: &Self), quote!(self)),
            (quote!(self: Arc<Self>), quote!(egb::Again::again(&self))),
            (quote!(self), quote!(self)),
        ] {
            let sig = Signature::parse.parse2(quote!(fn ask(#receiver))).unwrap();
            let mut shape = boxed_body(&quote!(let __self = self; let text = text; __self.send(text).await));
            shape.keep_receiver(&sig, &quote!(egb));
            let kept = quote!({ let __self = #taken; let text = text; __self.send(text).await });
            assert_eq!(shape.block().to_string(), kept.to_string(), "{receiver}");
        }
    }

    #[test]
    fn only_a_body_that_is_one_boxed_async_block_is_seen_through() {
        let block = |tokens: TokenStream| Group::new(Delimiter::Brace, tokens);
        for body in [quote!(Box::pin(async move { 1 })), quote!(::std::boxed::Box::pin(async move { 1 }))] {
            assert!(boxed(&block(body.clone())).is_some(), "{body}");
        }
        for body in [
            quote!(),
            quote!(Box::pin(future)),
            quote!(Box::pin(async { 1 })),
            quote!(Box::pin(async move { 1 }.map(f))),
            quote!(Box::pin[async move { 1 }]),
            quote!(Box::new(async move { 1 })),
            quote!(async move { 1 }.boxed()),
            quote!(Box::pin(async move (1))),
        ] {
            assert!(boxed(&block(body.clone())).is_none(), "{body}");
        }
    }
}
