//! The expansion. For an async function with retries it reads like this:
//!
//! ```text
//! async fn name(prompt: &str, opts: Opts) -> Result<String, E> {
//!     let mut lease = match Call::new(global(), 1).lease() {
//!         Ok(lease) => lease,
//!         Err(error) => return refused(error),
//!     };
//!     loop {
//!         let (call, key) = give::<Key>(lease);
//!         let opts = Again::again(&opts);
//!         let body = async move { the body as it was, in its braces };
//!         let end = move |call, outcome| next_async(call, &verdict(outcome), Pace::new(2));
//!         match run(call, body, end).await {
//!             Step::Done(outcome) => return outcome,
//!             Step::Again(next) => lease = next,
//!         }
//!     }
//! }
//! ```
//!
//! Without retries there is no loop and nothing is cloned. All names of ours have mixed-site hygiene
//! and all paths are absolute, so that nothing of the user's can shadow them.
//!
//! In an async function key and arguments are bound outside of the body's own block, which captures them by
//! the names that the user gave them: a second binding inside would take room in the future a second time.
//! For the same reason nothing of ours is borrowed across the `await`, and the call is ended inside of `run`.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use super::model::Model;
use super::shape::Shape;

mod attempt;
mod bindings;
mod checkout;

pub(crate) fn expand(model: &Model) -> TokenStream {
    let function = &model.function;
    let (attrs, vis, defaultness, sig) = (&function.attrs, &function.vis, &function.defaultness, &function.sig);
    let body = Expansion::new(model).body();
    let body = match &model.shape {
        Shape::Boxed { before, .. } => quote!({ #before(async move { #body }) }),
        Shape::Sync(block) | Shape::Async(block) => {
            // The user's own braces, so that what the compiler says of the body points there.
            let mut braces = Group::new(Delimiter::Brace, body);
            braces.set_span(block.span());
            braces.into_token_stream()
        }
    };
    quote!(#(#attrs)* #vis #defaultness #sig #body)
}

struct Expansion<'a> {
    model: &'a Model,
    /// `::egb::__private`
    private: TokenStream,
    lease: Ident,
    /// The same, as long as an attempt has it.
    call: Ident,
    outcome: Ident,
    keys: Ident,
    deadline: Ident,
}

fn ours(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// At the user's tokens, for what the compiler says of them, with names of our own.
fn at(tokens: &impl Spanned) -> Span {
    tokens.span().resolved_at(Span::mixed_site())
}

impl<'a> Expansion<'a> {
    fn new(model: &'a Model) -> Self {
        Self {
            model,
            private: model.options.private(),
            lease: ours("__lease"),
            call: ours("__call"),
            outcome: ours("__outcome"),
            keys: ours("__keys"),
            deadline: ours("__deadline"),
        }
    }

    fn is_async(&self) -> bool {
        !matches!(self.model.shape, Shape::Sync(_))
    }

    fn body(&self) -> TokenStream {
        let site = self.site();
        let acquire = self.acquire();
        if let Some(hedge) = self.model.options.hedge.as_ref().filter(|_| self.is_async()) {
            let hedged = self.hedged(hedge);
            return quote!(#site #acquire #hedged);
        }
        let attempt = if self.is_async() { self.async_attempt() } else { self.sync_attempt() };
        if !self.model.options.retries() {
            return quote!(#site #acquire #attempt);
        }
        let pace = self.pace_ahead();
        let (outcome, used_up) = (&self.outcome, self.used_up());
        let last = if used_up.is_empty() {
            quote!(loop { #attempt })
        } else {
            quote!(let #outcome = loop { #attempt }; #used_up #outcome)
        };
        quote!(#site #acquire #pace #last)
    }

    /// What is missing is said of the return type.
    fn refused(&self, error: &Ident) -> TokenStream {
        let (private, ty) = (&self.private, &self.model.output);
        let span = at(ty);
        quote_spanned!(span=> <#ty as #private::Refusable>::refused(#error))
    }
}
