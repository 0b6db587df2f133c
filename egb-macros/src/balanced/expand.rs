//! The expansion. For an async function with retries it reads like this:
//!
//! ```text
//! async fn name(prompt: &str, opts: Opts) -> Result<String, E> {
//!     let mut lease = match lease(global(), 1) { Ok(lease) => lease, Err(error) => return refused(error) };
//!     let mut retry = Retry::new(2);
//!     loop {
//!         let outcome = {
//!             let opts = Again::again(&opts);
//!             in_lease(&lease, async move {
//!                 let key: Key = Inject::inject(&lease);
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
use syn::{FnArg, Path, ReceiverKind, Type};

use super::model::{Arg, Model, Shape};
use super::options::Balancer;
use super::pattern::borrowing;
use super::tokens::peel;

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
        let krate: Option<&Path> = model.options.krate.as_ref();
        let private = krate.map_or_else(|| quote!(::egb::__private), |path| quote!(#path::__private));
        Self {
            model,
            private,
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
        let array_check = self.array_check();
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
                #array_check
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
            #array_check
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
                let given = quote_spanned!(span=> #private::given(&#balancer));
                self.model.args.iter().fold(given, |given, arg| match arg {
                    Arg::Pattern { hidden, pattern, .. } => match borrowing(pattern, balancer.to_token_stream()) {
                        Some(pattern) => quote!(match &#hidden { #pattern => #given }),
                        None => given,
                    },
                    Arg::Plain { .. } => given,
                })
            }
        }
    }

    fn count(&self) -> TokenStream {
        self.model.options.keys.as_ref().map_or_else(|| quote!(1), ToTokens::to_token_stream)
    }

    /// `[Key; N]` has the length of `keys = N`, whatever constants the two are.
    fn array_check(&self) -> Option<TokenStream> {
        let Type::Array(array) = &self.model.key.ty else { return None };
        let (len, count) = (&array.len, self.count());
        let span = len.span().resolved_at(Span::mixed_site());
        Some(quote_spanned!(span=> let _: [(); #len] = [(); #count];))
    }

    /// Everything between a lease and its verdict.
    fn attempt(&self) -> TokenStream {
        let Self { private, lease, held, .. } = self;
        let (again, bindings) = self.arguments();
        let ty = &self.model.output.ty;
        let key = self.key();
        let body = self.user_block();
        let run = if self.is_async() {
            let capture = if self.captures_by_move() { quote!(async move) } else { quote!(async) };
            let block = if self.model.output.is_opaque {
                quote!(#capture { #key #bindings #body })
            } else {
                // Names the type of the block, for `?` and for coercions.
                let returned = ours("__returned");
                quote! {
                    #capture {
                        match ::core::option::Option::None::<#ty> {
                            ::core::option::Option::Some(#returned) => return #returned,
                            ::core::option::Option::None => {}
                        }
                        #key
                        #bindings
                        #body
                    }
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
        if !self.model.options.retries() {
            return true;
        }
        match self.model.function.sig.inputs.first() {
            Some(FnArg::Receiver(receiver)) => {
                matches!(&receiver.kind, ReceiverKind::Reference(_, _, None))
            }
            _ => true,
        }
    }

    /// What precedes an attempt (arguments that a retry needs again), and what its body begins with.
    fn arguments(&self) -> (TokenStream, TokenStream) {
        let retries = self.model.options.retries();
        let (mut again, mut bindings) = (TokenStream::new(), TokenStream::new());
        for arg in &self.model.args {
            let (ident, ty, cfg) = match arg {
                Arg::Plain { ident, ty, cfg, .. } => (ident, ty, cfg),
                Arg::Pattern { hidden, ty, cfg, .. } => (hidden, ty, cfg),
            };
            if retries {
                let value = self.once_more(ident, ty);
                again.extend(quote!(#(#cfg)* let #ident = #value;));
            }
            match arg {
                Arg::Plain { mutable: true, .. } => bindings.extend(quote!(#(#cfg)* let mut #ident = #ident;)),
                Arg::Plain { .. } => {}
                Arg::Pattern { pattern, .. } => bindings.extend(quote!(#(#cfg)* let #pattern = #ident;)),
            }
        }
        (again, bindings)
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
        let inject = quote_spanned!(span=> <#ty as #private::Inject<'_>>::inject(#held));
        quote!(let #mutability #ident: #ty = #inject;)
    }

    /// The user's braces and tokens as they are. The `let` says that the braces have their use.
    fn user_block(&self) -> TokenStream {
        let (Shape::Sync(block) | Shape::Async(block) | Shape::Boxed { block, .. }) = &self.model.shape;
        let tokens = block.stream();
        let mut kept = Group::new(block.delimiter(), quote!(let () = (); #tokens));
        kept.set_span(block.span());
        kept.into_token_stream()
    }

    /// What is missing is said of the return type.
    fn refused(&self, error: &Ident) -> TokenStream {
        let private = &self.private;
        if self.model.output.is_opaque {
            return quote!(#private::Refusable::refused(#error));
        }
        let ty = &self.model.output.ty;
        let span = ty.span().resolved_at(Span::mixed_site());
        quote_spanned!(span=> <#ty as #private::Refusable>::refused(#error))
    }

    fn verdict(&self) -> TokenStream {
        let Self { private, outcome, .. } = self;
        if let Some(classify) = &self.model.options.classify {
            let span = classify.span().resolved_at(Span::mixed_site());
            return quote_spanned!(span=> #private::classified(#classify(&#outcome)));
        }
        let (value, error) = (ours("__value"), ours("__error"));
        let ty = &self.model.output.ty;
        let span = ty.span().resolved_at(Span::mixed_site());
        let (result, judged) = if self.model.output.is_opaque {
            (quote!(#private::Fallible::as_result(&#outcome)), quote!(#private::Verdict::error(#error)))
        } else {
            (
                quote_spanned!(span=> <#ty as #private::Fallible>::as_result(&#outcome)),
                quote_spanned!(span=> <#ty as #private::Judged>::error(#error)),
            )
        };
        quote! {
            match #result {
                ::core::result::Result::Ok(#value) => #private::Probe::new(#value).verdict(),
                ::core::result::Result::Err(#error) => #judged,
            }
        }
    }
}
