//! The expansion. For an async function with retries it reads like this:
//!
//! ```text
//! async fn name(prompt: &str, opts: Opts) -> Result<String, E> {
//!     let mut lease = match lease(global(), 1) { Ok(lease) => lease, Err(error) => return refused(error) };
//!     let mut retry = Retry::new(2);
//!     loop {
//!         let outcome = {
//!             let again = Again::again(&opts);
//!             in_lease(&lease, async move {
//!                 let key: Key = Inject::inject(&lease);
//!                 let opts = again;
//!                 { the body as it was }
//!             }).await
//!         };
//!         let (next, saving) = retry.next_async(lease, &verdict(&outcome));
//!         if let Some(ack) = saving { ack.await; }
//!         match next {
//!             Some(next) => lease = next,
//!             None => return outcome,
//!         }
//!     }
//! }
//! ```
//!
//! Without retries there is no loop and nothing is cloned. All names of ours have mixed-site hygiene
//! and all paths are absolute, so that nothing of the user's can shadow them.

use proc_macro2::{Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprReference, ReceiverKind, Token, Type};

use super::arguments::Arg;
use super::model::Model;
use super::options::Balancer;
use super::pattern::borrowing;
use super::shape::Shape;
use crate::tokens::peel;

pub(crate) fn expand(model: &Model) -> TokenStream {
    let function = &model.function;
    let (attrs, vis, defaultness, sig) = (&function.attrs, &function.vis, &function.defaultness, &function.sig);
    let body = Expansion::new(model).body();
    let body = match &model.shape {
        Shape::Boxed { before, .. } => quote!({ #before(async move { #body }) }),
        Shape::Sync(block) | Shape::Async(block) => {
            // The user's own braces, so that what the compiler says of the body points there.
            let mut braces = Group::new(proc_macro2::Delimiter::Brace, body);
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
    retry: Ident,
    outcome: Ident,
    held: Ident,
}

fn ours(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// A disablement is on disk before the function goes on.
fn saved() -> TokenStream {
    let (saving, ack) = (ours("__saving"), ours("__ack"));
    quote! {
        if let ::core::option::Option::Some(#ack) = #saving {
            #ack.await;
        }
    }
}

impl<'a> Expansion<'a> {
    fn new(model: &'a Model) -> Self {
        Self {
            model,
            private: model.options.private(),
            lease: ours("__lease"),
            retry: ours("__retry"),
            outcome: ours("__outcome"),
            held: ours("__held"),
        }
    }

    fn is_async(&self) -> bool {
        !matches!(self.model.shape, Shape::Sync(_))
    }

    fn body(&self) -> TokenStream {
        let Self { private, lease, retry, outcome, .. } = self;
        let error = ours("__error");
        let (next, saving) = (ours("__next"), ours("__saving"));
        let site = self.site();
        let picked = self.picked();
        let count = self.count();
        let refused = self.refused(&error);
        let attempt = self.attempt();
        let verdict = self.verdict();
        let acquire = quote! {
            match #private::lease(#picked, #count) {
                ::core::result::Result::Ok(#lease) => #lease,
                ::core::result::Result::Err(#error) => return #refused,
            }
        };
        let Some(retries) = self.model.options.retries.as_ref().filter(|_| self.model.options.retries()) else {
            let end = if self.is_async() {
                let saved = saved();
                quote!(let #saving = #private::end_async(#lease, &#verdict); #saved)
            } else {
                quote!(#private::end(#lease, &#verdict);)
            };
            return quote! {
                #site
                let #lease = #acquire;
                let #outcome = #attempt;
                #end
                #outcome
            };
        };
        let advance = if self.is_async() {
            let saved = saved();
            quote!(let (#next, #saving) = #retry.next_async(#lease, &#verdict); #saved)
        } else {
            quote!(let #next = #retry.next(#lease, &#verdict);)
        };
        quote! {
            #site
            let mut #lease = #acquire;
            let mut #retry = #private::Retry::new(#retries);
            loop {
                let #outcome = #attempt;
                #advance
                match #next {
                    ::core::option::Option::Some(#next) => #lease = #next,
                    ::core::option::Option::None => break #outcome,
                }
            }
        }
    }

    /// A named balancer is looked up once.
    fn site(&self) -> Option<TokenStream> {
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
                let span = balancer.span().resolved_at(Span::mixed_site());
                // Made as an expression, so that it keeps its precedence: `&(a as B)`.
                let borrowed = Expr::Reference(ExprReference {
                    attrs: Vec::new(),
                    and_token: Token![&](span),
                    mutability: None,
                    expr: Box::new(balancer.clone()),
                });
                let given = quote_spanned!(span=> #private::given(#borrowed));
                // Retries have put names in the place of patterns.
                self.model.args.iter().filter(|arg| !arg.is_plain()).fold(given, |given, Arg { name, pattern, .. }| {
                    match borrowing(pattern, balancer.to_token_stream()) {
                        Some(pattern) => quote!(match &#name { #pattern => #given }),
                        None => given,
                    }
                })
            }
        }
    }

    fn count(&self) -> TokenStream {
        self.model.options.keys.as_ref().map_or_else(|| quote!(1), ToTokens::to_token_stream)
    }

    /// Everything between a lease and its verdict.
    fn attempt(&self) -> TokenStream {
        let Self { private, lease, held, .. } = self;
        let (again, bindings) = self.arguments();
        let ty = &self.model.output;
        let key = self.key();
        let body = self.user_block();
        let run = if self.is_async() {
            let capture = if self.captures_by_move() { quote!(async move) } else { quote!(async) };
            // Names the type of the block, for `?` and for coercions.
            let returned = ours("__returned");
            let block = quote! {
                #capture {
                    match ::core::option::Option::None::<#ty> {
                        ::core::option::Option::Some(#returned) => return #returned,
                        ::core::option::Option::None => {}
                    }
                    #key
                    #bindings
                    #body
                }
            };
            quote!(#private::in_lease(#held, #block).await)
        } else {
            let capture = if self.captures_by_move() { quote!(move) } else { quote!() };
            quote!(#private::with_lease(#held, #capture || -> #ty { #key #bindings #body }))
        };
        quote! {
            {
                #again
                let #held = &#lease;
                #run
            }
        }
    }

    /// A retry uses `&mut self`, `self: Arc<Self>` and the like again: they are borrowed then.
    fn captures_by_move(&self) -> bool {
        let receiver = self.model.function.sig.receiver();
        let is_shared = receiver.is_none_or(|receiver| matches!(receiver.kind, ReceiverKind::Reference(_, _, None)));
        is_shared || !self.model.options.retries()
    }

    /// What precedes an attempt (copies of the arguments), and what its body begins with.
    fn arguments(&self) -> (TokenStream, TokenStream) {
        let (mut copies, mut bindings) = (TokenStream::new(), TokenStream::new());
        for Arg { name, again, pattern, ty, cfg, in_options } in &self.model.args {
            let value = self.once_more(name, ty);
            copies.extend(quote!(#(#cfg)* let #again = #value;));
            bindings.extend(quote!(#(#cfg)* let #pattern = #again;));
            if *in_options {
                bindings.extend(quote!(#(#cfg)* let _ = &#name;));
            }
        }
        (copies, bindings)
    }

    fn once_more(&self, ident: &Ident, ty: &Type) -> TokenStream {
        match peel(ty) {
            Type::Reference(reference) if reference.mutability.is_some() => quote!(&mut *#ident),
            Type::Reference(_) => quote!(#ident),
            Type::ImplTrait(_) => {
                let private = &self.private;
                quote!(#private::Again::again(&#ident))
            }
            owned => {
                let private = &self.private;
                let span = owned.span().resolved_at(Span::mixed_site());
                quote_spanned!(span=> <#owned as #private::Again>::again(&#ident))
            }
        }
    }

    fn key(&self) -> TokenStream {
        let Self { private, held, .. } = self;
        let key = &self.model.key;
        let (ident, ty) = (&key.ident, &key.ty);
        let mutability = key.mutable.then(|| quote!(mut));
        let span = ty.span().resolved_at(Span::mixed_site());
        let count = self.count();
        let inject = quote_spanned!(span=> <#ty as #private::Inject<'_, { #count }>>::inject(#held));
        quote!(let #mutability #ident: #ty = #inject;)
    }

    /// The user's braces and tokens as they are. The constant says that the braces have their use: an item,
    /// because others of the user's may follow and lints want them before statements.
    fn user_block(&self) -> TokenStream {
        let block = self.model.shape.block();
        let tokens = block.stream();
        let mut kept = Group::new(block.delimiter(), quote!(const _: () = (); #tokens));
        kept.set_span(block.span());
        kept.into_token_stream()
    }

    /// What is missing is said of the return type.
    fn refused(&self, error: &Ident) -> TokenStream {
        let (private, ty) = (&self.private, &self.model.output);
        let span = ty.span().resolved_at(Span::mixed_site());
        quote_spanned!(span=> <#ty as #private::Refusable>::refused(#error))
    }

    fn verdict(&self) -> TokenStream {
        let Self { private, outcome, .. } = self;
        if let Some(classify) = &self.model.options.classify {
            let span = classify.span().resolved_at(Span::mixed_site());
            return quote_spanned!(span=> #private::classified(#classify(&#outcome)));
        }
        let ty = &self.model.output;
        let span = ty.span().resolved_at(Span::mixed_site());
        quote_spanned!(span=> <#ty as #private::Judged>::verdict(&#outcome, || #private::Probe::new(&#outcome).ok_verdict()))
    }
}
