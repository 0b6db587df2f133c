//! The expansion. For an async function with retries it reads like this:
//!
//! ```text
//! async fn name(prompt: &str, opts: Opts) -> Result<String, E> {
//!     let mut lease = match Call::new(global(), 1).lease() {
//!         Ok(lease) => lease,
//!         Err(error) => return refused(error),
//!     };
//!     let mut attempts = Attempts::new(2);
//!     loop {
//!         let outcome = {
//!             let held = &lease;
//!             let again = Again::again(&opts);
//!             let opts = again;
//!             let key: Key = Inject::inject(held);
//!             in_call(held, async move { the body as it was, in its braces }).await
//!         };
//!         let next = attempts.next_async(lease, &verdict(&outcome), Pace::default());
//!         match next.await {
//!             Some(next) => lease = next,
//!             None => return outcome,
//!         }
//!     }
//! }
//! ```
//!
//! Without retries there is no loop and nothing is cloned. All names of ours have mixed-site hygiene
//! and all paths are absolute, so that nothing of the user's can shadow them.
//!
//! Key and arguments are bound outside of the body's own block, which captures them by the names that the
//! user gave them: a second binding inside would take room in every future a second time.

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
    attempts: Ident,
    outcome: Ident,
    held: Ident,
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
            attempts: ours("__attempts"),
            outcome: ours("__outcome"),
            held: ours("__held"),
            deadline: ours("__deadline"),
        }
    }

    fn is_async(&self) -> bool {
        !matches!(self.model.shape, Shape::Sync(_))
    }

    fn body(&self) -> TokenStream {
        let Self { private, lease, attempts, outcome, deadline, .. } = self;
        let next = ours("__next");
        let site = self.site();
        let acquire = self.acquire();
        let lend = self.lend();
        let attempt = self.attempt();
        let verdict = self.verdict();
        let Some(retries) = self.model.options.retries.as_ref().filter(|_| self.model.options.retries()) else {
            let end = if self.is_async() {
                let (saving, ack) = (ours("__saving"), ours("__ack"));
                quote! {
                    let #saving = #private::end_async(#lease, &#verdict);
                    // A disablement is on disk before the function returns.
                    if let ::core::option::Option::Some(#ack) = #saving {
                        #ack.await;
                    }
                }
            } else {
                quote!(#private::end(#lease, &#verdict);)
            };
            return quote! {
                #site
                #acquire
                #lend
                let #outcome = #attempt;
                #end
                #outcome
            };
        };
        let until = self.model.options.deadline.as_ref().map(|_| quote!(.until(#deadline)));
        let pace = self.pace();
        let (advance, wait) = if self.is_async() {
            (quote!(next_async), quote!(.await))
        } else {
            (quote!(next), quote!())
        };
        quote! {
            #site
            #acquire
            let mut #attempts = #private::Attempts::new(#retries)#until;
            loop {
                #lend
                let #outcome = #attempt;
                let #next = #attempts.#advance(#lease, &#verdict, #pace);
                match #next #wait {
                    ::core::option::Option::Some(#next) => #lease = #next,
                    ::core::option::Option::None => break #outcome,
                }
            }
        }
    }

    /// Binds the lease, or returns the error of egb.
    fn acquire(&self) -> TokenStream {
        let Self { private, lease, deadline, .. } = self;
        let options = &self.model.options;
        let (call, error) = (ours("__call"), ours("__error"));
        let (picked, count) = (self.picked(), self.count());
        let refused = self.refused(&error);
        let mutability = options.retries().then(|| quote!(mut));
        let scope = options.scope.as_ref().map(|scope| self.borrowed_option("scope", scope));
        let affinity = options.affinity.as_ref().map(|session| self.borrowed_option("affinity", session));
        let wait = options.wait.as_ref().map(|wait| quote_spanned!(at(wait)=> .wait(#wait)));
        let (bind_deadline, call) = match &options.deadline {
            Some(within) => {
                let within = quote_spanned!(at(within)=> .deadline(#within));
                let bind = quote! {
                    let (#call, #deadline) = #private::Call::new(#picked, #count)#scope #affinity #wait #within;
                };
                (bind, quote!(#call))
            }
            None => (quote!(), quote!(#private::Call::new(#picked, #count)#scope #affinity #wait)),
        };
        let take = if self.is_async() && options.wait.is_some() { quote!(lease_async().await) } else { quote!(lease()) };
        quote! {
            #bind_deadline
            let #mutability #lease = match #call.#take {
                ::core::result::Result::Ok(#lease) => #lease,
                ::core::result::Result::Err(#error) => return #refused,
            };
        }
    }

    /// `.scope(&..)`, with names from patterns that retries have taken out of the signature.
    fn borrowed_option(&self, name: &str, value: &Expr) -> TokenStream {
        let method = Ident::new(name, at(value));
        let borrowed = borrow(value);
        let value = self.with_patterns(quote_spanned!(at(value)=> #borrowed), value);
        quote_spanned!(at(&value)=> .#method(#value))
    }

    /// A body that takes the lease gets it; what ends the call then is the stub.
    fn lend(&self) -> Option<TokenStream> {
        let Self { private, lease, .. } = self;
        let given = ours("__given");
        self.model.key.is_lease.then(|| quote!(let (#lease, #given) = #private::lend(#lease);))
    }

    /// How retries follow each other.
    fn pace(&self) -> TokenStream {
        let private = &self.private;
        let options = &self.model.options;
        let backoff = options.backoff.as_ref().map(|backoff| quote_spanned!(at(backoff)=> .backoff(#backoff)));
        let wait = options.wait.as_ref().map(|wait| quote_spanned!(at(wait)=> .wait(#wait)));
        quote!(<#private::Pace as ::core::default::Default>::default()#backoff #wait)
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

    fn count(&self) -> TokenStream {
        self.model.options.keys.as_ref().map_or_else(|| quote!(1), ToTokens::to_token_stream)
    }

    /// Everything between a lease and its verdict.
    fn attempt(&self) -> TokenStream {
        let Self { private, lease, held, deadline, .. } = self;
        let arguments = self.arguments();
        let ty = &self.model.output;
        let key = self.key();
        let body = self.user_block();
        let capture = self.captures_by_move().then(|| quote!(move));
        let run = if self.is_async() {
            // Names the type of the block, for `?` and for coercions.
            let returned = ours("__returned");
            let block = quote! {
                async #capture {
                    match ::core::option::Option::None::<#ty> {
                        ::core::option::Option::Some(#returned) => return #returned,
                        ::core::option::Option::None => {}
                    }
                    #body
                }
            };
            if self.model.options.deadline.is_some() {
                let (in_time, error) = (ours("__in_time"), ours("__error"));
                let refused = self.refused(&error);
                quote! {
                    match #private::in_time(#held, #deadline, #block).await {
                        ::core::result::Result::Ok(#in_time) => #in_time,
                        ::core::result::Result::Err(#error) => return #refused,
                    }
                }
            } else {
                quote!(#private::in_call(#held, #block).await)
            }
        } else {
            quote!(#private::with_keys(#held, #capture || -> #ty { #body }))
        };
        quote! {
            {
                let #held = &#lease;
                #arguments
                #key
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

    /// The arguments for one attempt, under the names that the body knows.
    fn arguments(&self) -> TokenStream {
        let mut bindings = TokenStream::new();
        for Arg { name, again, pattern, ty, cfg, in_options } in &self.model.args {
            let value = self.once_more(name, ty);
            // The pattern may borrow from its value, which lives as long as the attempt then.
            bindings.extend(quote!(#(#cfg)* let #again = #value; #(#cfg)* let #pattern = #again;));
            bindings.extend(in_options.iter().map(|name| quote!(#(#cfg)* let _ = &#name;)));
        }
        bindings
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
                let span = at(&owned);
                quote_spanned!(span=> <#owned as #private::Again>::again(&#ident))
            }
        }
    }

    fn key(&self) -> TokenStream {
        let Self { private, held, .. } = self;
        let key = &self.model.key;
        let (ident, ty) = (&key.ident, &key.ty);
        let mutability = key.mutable.then(|| quote!(mut));
        if key.is_lease {
            let given = ours("__given");
            return quote!(let #mutability #ident: #ty = #given;);
        }
        let span = at(ty);
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
        let span = at(ty);
        quote_spanned!(span=> <#ty as #private::Refusable>::refused(#error))
    }

    fn verdict(&self) -> TokenStream {
        let Self { private, outcome, .. } = self;
        if let Some(classify) = &self.model.options.classify {
            let span = at(classify);
            return quote_spanned!(span=> #private::classified(#classify(&#outcome)));
        }
        let ty = &self.model.output;
        let span = at(ty);
        quote_spanned!(span=> <#ty as #private::Judged>::verdict(&#outcome, || #private::Probe::new(&#outcome).ok_verdict()))
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
