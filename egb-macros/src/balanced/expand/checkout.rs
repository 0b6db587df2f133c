//! From the options of the attribute to a lease: the balancer, how many keys, and on what terms.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, ExprReference, Token};

use super::super::arguments::Arg;
use super::super::options::Balancer;
use super::super::pattern::borrowing;
use super::{Expansion, at, ours};

impl Expansion<'_> {
    /// Binds the lease, or returns the error of egb.
    pub(super) fn acquire(&self) -> TokenStream {
        let Self { private, lease, deadline, .. } = self;
        let options = &self.model.options;
        let (checkout, error) = (ours("__checkout"), ours("__error"));
        let (picked, count) = (self.picked(), self.count());
        let refused = self.refused(&error);
        let mutability = (options.retries() && options.hedge.is_none()).then(|| quote!(mut));
        let mut checkout_of = quote!(#private::Call::new(#picked, #count));
        for (name, value) in [("scope", &options.scope), ("affinity", &options.affinity)] {
            if let Some(value) = value {
                let (method, borrowed) = (Ident::new(name, at(value)), borrow(value));
                let used = quote_spanned!(at(value)=> #checkout_of.#method(#borrowed));
                checkout_of = self.with_patterns(used, value);
            }
        }
        let wait = options.wait.as_ref().map(|wait| quote_spanned!(at(wait)=> .wait(#wait)));
        let (bind_deadline, checkout) = match &options.deadline {
            Some(within) => {
                let within = quote_spanned!(at(within)=> .deadline(#within));
                let bind = quote! {
                    let (#checkout, #deadline) = #checkout_of #wait #within;
                };
                (bind, quote!(#checkout))
            }
            None => (quote!(), quote!(#checkout_of #wait)),
        };
        let take =
            if self.is_async() && options.wait.is_some() { quote!(lease_async().await) } else { quote!(lease()) };
        quote! {
            #bind_deadline
            let #mutability #lease = match #checkout.#take {
                ::core::result::Result::Ok(#lease) => #lease,
                ::core::result::Result::Err(#error) => return #refused,
            };
        }
    }

    /// A named balancer is looked up once.
    pub(super) fn site(&self) -> Option<TokenStream> {
        let Some(Balancer::Named(name)) = &self.model.options.balancer else { return None };
        let (private, site) = (&self.private, ours("__SITE"));
        Some(quote!(static #site: #private::Site = #private::Site::new(#name);))
    }

    fn picked(&self) -> TokenStream {
        let private = &self.private;
        match &self.model.options.balancer {
            None => quote!(#private::global()),
            Some(Balancer::Named(_)) => {
                let site = ours("__SITE");
                quote!(#site.balancer())
            }
            Some(Balancer::Given(balancer)) => {
                let borrowed = borrow(balancer);
                self.with_patterns(quote_spanned!(at(balancer)=> #private::given(#borrowed)), balancer)
            }
        }
    }

    /// Lets an expression see the names that patterns bind where retries have put plain names in their place.
    fn with_patterns(&self, used: TokenStream, expression: &Expr) -> TokenStream {
        self.model.args.iter().filter(|arg| !arg.is_plain()).fold(used, |used, Arg { name, pattern, .. }| {
            match borrowing(pattern, expression.to_token_stream()) {
                Some(pattern) => quote!(match &#name { #pattern => #used }),
                None => used,
            }
        })
    }

    pub(super) fn count(&self) -> TokenStream {
        let Some(count) = &self.model.options.keys else { return quote!(1) };
        let mut tokens = count.to_token_stream().into_iter();
        let is_block = |token| matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace);
        // At the head of other braces a block would be a statement of its own: `{ { N } + 1 }`.
        if is_block(tokens.next()) && tokens.next().is_some() { quote!((#count)) } else { quote!(#count) }
    }
}

/// A reference to the value; made as an expression, so that it keeps its precedence: `&(a as B)`.
fn borrow(value: &Expr) -> Expr {
    Expr::Reference(ExprReference {
        attrs: Vec::new(),
        and_token: Token![&](at(value)),
        mutability: None,
        expr: Box::new(value.clone()),
    })
}
