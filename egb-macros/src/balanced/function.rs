//! The function under the attribute: its signature parsed, its body left as the tokens it is.
//!
//! Braces and tokens of the body keep their spans: re-made braces would change which edition's rules
//! hold for temporaries in the body's last expression.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, Signature, Token, Visibility};

pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) defaultness: Option<Token![default]>,
    pub(crate) sig: Signature,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    Block(Group),
    /// A method without one, in a trait.
    Semicolon(Token![;]),
}

const NO_FUNCTION: &str = "`#[balanced]` belongs on a function or method with a body";

impl Function {
    pub(crate) fn parse(item: TokenStream) -> syn::Result<Self> {
        syn::parse2(item)
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        refuse_other_items(input)?;
        let defaultness = input.parse()?;
        let sig = input.parse()?;
        let body = match bare(input.parse()?) {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                Body::Block(hoist_inner_attributes(group, &mut attrs)?)
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => Body::Semicolon(Token![;](punct.span())),
            other => return Err(syn::Error::new_spanned(other, NO_FUNCTION)),
        };
        Ok(Self { attrs, vis, defaultness, sig, body })
    }
}

/// A block that a `macro_rules!` captured comes in an invisible group.
fn bare(token: TokenTree) -> TokenTree {
    match &token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            let mut inner = group.stream().into_iter();
            match (inner.next(), inner.next()) {
                (Some(only), None) => bare(only),
                _ => token,
            }
        }
        _ => token,
    }
}

/// A word for what the user may have meant, where the parser would only miss a `fn`.
fn refuse_other_items(input: ParseStream<'_>) -> syn::Result<()> {
    let item = if input.peek(Token![struct]) {
        "a struct"
    } else if input.peek(Token![enum]) {
        "an enum"
    } else if input.peek(Token![impl]) {
        return Err(input.error(format!("{NO_FUNCTION}, not on an impl block; put it on each method")));
    } else if input.peek(Token![trait]) {
        "a trait"
    } else if input.peek(Token![mod]) {
        "a module"
    } else if input.peek(Token![static]) {
        "a static"
    } else if input.peek(Token![type]) {
        "a type"
    } else if input.peek(Token![use]) {
        "a `use`"
    } else if input.peek(Token![const]) && (input.peek2(Ident) || input.peek2(Token![_])) {
        "a constant"
    } else {
        return Ok(());
    };
    Err(input.error(format!("{NO_FUNCTION}, not on {item}")))
}

/// `#![..]` at the head of a body are the function's attributes; code is put before the body's own.
fn hoist_inner_attributes(body: Group, attrs: &mut Vec<Attribute>) -> syn::Result<Group> {
    let starts_with_attribute = |tokens: &TokenStream| {
        let mut tokens = tokens.clone().into_iter();
        let is = |token: Option<TokenTree>, char| matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == char);
        is(tokens.next(), '#') && is(tokens.next(), '!')
    };
    if !starts_with_attribute(&body.stream()) {
        return Ok(body);
    }
    let split = |input: ParseStream<'_>| Ok((input.call(Attribute::parse_inner)?, input.parse::<TokenStream>()?));
    let (inner, rest) = syn::parse::Parser::parse2(split, body.stream())?;
    attrs.extend(inner.into_iter().map(|attr| Attribute { style: syn::AttrStyle::Outer, ..attr }));
    let mut hoisted = Group::new(Delimiter::Brace, rest);
    hoisted.set_span(body.span());
    Ok(hoisted)
}

#[cfg(test)]
mod tests {
    use quote::{ToTokens, quote};

    use super::*;

    #[test]
    fn what_ends_in_neither_a_body_nor_a_semicolon_is_no_function() {
        for item in [quote!(fn ask() ()), quote!(fn ask() []), quote!(fn ask() + {}), quote!(fn ask() -> u8 "")] {
            assert!(Function::parse(item.clone()).is_err(), "{item}");
        }
        assert!(matches!(
            Function::parse(quote!(
                fn ask();
            ))
            .unwrap()
            .body,
            Body::Semicolon(_)
        ));
        assert!(matches!(
            Function::parse(quote!(
                fn ask() {}
            ))
            .unwrap()
            .body,
            Body::Block(_)
        ));
    }

    #[test]
    fn a_block_is_found_in_invisible_groups() {
        let hidden = |tokens: TokenStream| Group::new(Delimiter::None, tokens).into_token_stream();
        let (once, block) = (hidden(quote!({ 1 })), quote!({ 1 }));
        let twice = hidden(once.clone());
        for body in [once, twice] {
            let Body::Block(found) = Function::parse(quote!(fn ask() #body)).unwrap().body else { panic!("{body}") };
            assert_eq!(found.to_token_stream().to_string(), block.to_string());
        }
        let two = hidden(quote!({ 1 } { 2 }));
        assert!(Function::parse(quote!(fn ask() #two)).is_err());
    }

    #[test]
    fn inner_attributes_become_the_functions() {
        let function = Function::parse(quote!(
            #[inline]
            fn ask() {
                #![allow(unused)]
                #[cfg(all())]
                let a = 1;
            }
        ));
        let function = function.unwrap();
        let Body::Block(body) = &function.body else { panic!("there is a body") };
        assert_eq!(
            body.to_string(),
            quote!({
                #[cfg(all())]
                let a = 1;
            })
            .to_string()
        );
        let attrs: Vec<String> = function.attrs.iter().map(|attr| attr.to_token_stream().to_string()).collect();
        assert_eq!(attrs, [quote!(#[inline]).to_string(), quote!(#[allow(unused)]).to_string()]);
    }
}
