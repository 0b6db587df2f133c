//! From a lease to its verdict: one attempt with the user's body in it, and what follows it.

use proc_macro2::{Group, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, ReceiverKind};

use super::{Expansion, at, ours};

impl Expansion<'_> {
    /// From a lease to its verdict, in a sync function.
    pub(super) fn sync_attempt(&self) -> TokenStream {
        let Self { private, lease, call, outcome, keys, .. } = self;
        let next = ours("__next");
        let lend = self.lend();
        let (copies, bindings) = self.arguments();
        let (ty, key, body) = (&self.model.output, self.key(), self.user_block());
        let mutable = self.mutable();
        let capture = self.captures_by_move().then(|| quote!(move));
        let take = (!self.model.key.is_lease).then(|| {
            quote! {
                let (mut #call, #keys) = #private::keys(#call);
                let #keys = &#keys;
            }
        });
        let end = self.end(&quote!(&#outcome));
        let attempt = quote! {
            let #call = #lease;
            #lend
            #take
            let #outcome = {
                #copies
                #private::with_keys(&mut #call, #capture || -> #ty { #key #bindings #mutable #body })
            };
        };
        if !self.model.options.retries() {
            return quote!(#attempt #end; #outcome);
        }
        quote! {
            #attempt
            match #end {
                ::core::option::Option::Some(#next) => #lease = #next,
                ::core::option::Option::None => break #outcome,
            }
        }
    }

    /// From a lease to its verdict, in an async function.
    pub(super) fn async_attempt(&self) -> TokenStream {
        let Self { private, lease, call, outcome, deadline, .. } = self;
        let lend = self.lend();
        let (copies, bindings) = self.arguments();
        let (ty, key, body) = (&self.model.output, self.key(), self.user_block());
        let mutable = self.mutable();
        let capture = self.captures_by_move().then(|| quote!(move));
        // Names the type of the block, for `?` and for coercions.
        let returned = ours("__returned");
        let block = quote! {
            async #capture {
                match ::core::option::Option::None::<#ty> {
                    ::core::option::Option::Some(#returned) => return #returned,
                    ::core::option::Option::None => {}
                }
                #mutable
                #body
            }
        };
        let end = self.end(&outcome.to_token_stream());
        let run = quote!(#private::run(#call, #block, move |#call, #outcome| #end));
        let step = if self.model.options.deadline.is_some() {
            let (step, error) = (ours("__step"), ours("__error"));
            let refused = self.refused(&error);
            quote! {
                match #private::in_time(#deadline, #run).await {
                    ::core::result::Result::Ok(#step) => #step,
                    ::core::result::Result::Err(#error) => return #refused,
                }
            }
        } else {
            quote!(#run.await)
        };
        let again = ours("__again");
        let (done, next) = if self.model.options.retries() {
            (quote!(break #outcome), quote!(#lease = #again))
        } else {
            (quote!(#outcome), quote!(match #again {}))
        };
        quote! {
            let #call = #lease;
            #lend
            #copies
            #bindings
            #key
            match #step {
                #private::Step::Done(#outcome) => #done,
                #private::Step::Again(#again) => #next,
            }
        }
    }

    /// All attempts, some of them at the same time: each is made by a closure, which takes copies of the arguments.
    pub(super) fn hedged(&self, hedge: &Expr) -> TokenStream {
        let Self { private, lease, call, outcome, .. } = self;
        let (copies, bindings) = self.arguments();
        let (ty, key, body, mutable) = (&self.model.output, self.key(), self.user_block(), self.mutable());
        let (attempt, returned, verdict, error) =
            (ours("__attempt"), ours("__returned"), ours("__verdict"), ours("__error"));
        let judged = self.verdict(&outcome.to_token_stream());
        let refused = self.refused(&error);
        let (pace, after) = (self.pace(), quote_spanned!(at(hedge)=> .hedge(#hedge)));
        quote! {
            let #attempt = |#call| {
                #copies
                async move {
                    #bindings
                    #key
                    let (#call, #returned) = #private::attempt(#call, async move {
                        match ::core::option::Option::None::<#ty> {
                            ::core::option::Option::Some(#returned) => return #returned,
                            ::core::option::Option::None => {}
                        }
                        #mutable
                        #body
                    }).await;
                    let #verdict = {
                        let #outcome = &#returned;
                        #judged
                    };
                    (#call, #returned, #verdict)
                }
            };
            match #private::hedged(#lease, #pace #after, #attempt).await {
                ::core::result::Result::Ok(#outcome) => #outcome,
                ::core::result::Result::Err(#error) => return #refused,
            }
        }
    }

    /// A body that takes the lease gets it; what ends the call then is the stub.
    fn lend(&self) -> Option<TokenStream> {
        let Self { private, call, .. } = self;
        let given = ours("__given");
        let mutability = (!self.is_async()).then(|| quote!(mut));
        self.model.key.is_lease.then(|| quote!(let (#mutability #call, #given) = #private::lend(#call);))
    }

    /// A retry uses `&mut self`, `self: Arc<Self>` and the like again: they are borrowed then.
    fn captures_by_move(&self) -> bool {
        let receiver = self.model.function.sig.receiver();
        let is_shared = receiver.is_none_or(|receiver| matches!(receiver.kind, ReceiverKind::Reference(_, _, None)));
        is_shared || !self.model.options.retries()
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

    /// What ends an attempt, given the call and a reference to the outcome.
    fn end(&self, outcome: &TokenStream) -> TokenStream {
        let Self { private, call, .. } = self;
        let verdict = self.verdict(outcome);
        let suffix = if self.is_async() { "_async" } else { "" };
        if !self.model.options.retries() {
            let end = ours(&format!("end{suffix}"));
            return quote!(#private::#end(#call, &#verdict));
        }
        let next = ours(&format!("next{suffix}"));
        let pace = if self.pace_ahead().is_some() { ours("__pace").into_token_stream() } else { self.pace() };
        quote!(#private::#next(#call, &#verdict, #pace))
    }

    fn verdict(&self, outcome: &TokenStream) -> TokenStream {
        let private = &self.private;
        if let Some(classify) = &self.model.options.classify {
            let span = at(classify);
            return quote_spanned!(span=> #private::classified(#classify(#outcome)));
        }
        let ty = &self.model.output;
        let span = at(ty);
        quote_spanned!(span=> <#ty as #private::Judged>::verdict(#outcome, #private::Probe::new(#outcome).ok_verdict()))
    }

    /// How retries follow each other, where it is no constant: read before the body takes the arguments.
    pub(super) fn pace_ahead(&self) -> Option<TokenStream> {
        let options = &self.model.options;
        let parts = [&options.retries, &options.backoff, &options.wait];
        if parts.into_iter().flatten().all(is_constant) {
            return None;
        }
        let (name, pace) = (ours("__pace"), self.pace());
        Some(quote!(let #name = #pace;))
    }

    fn pace(&self) -> TokenStream {
        let Self { private, deadline, .. } = self;
        let options = &self.model.options;
        let retries = options.retries.as_ref().map_or_else(|| quote!(0), ToTokens::to_token_stream);
        let backoff = options.backoff.as_ref().map(|backoff| quote_spanned!(at(backoff)=> .backoff(#backoff)));
        let wait = options.wait.as_ref().map(|wait| quote_spanned!(at(wait)=> .wait(#wait)));
        let until = options.deadline.as_ref().map(|_| quote!(.until(#deadline)));
        quote!(#private::Pace::new(#retries)#backoff #wait #until)
    }
}

/// Whether the value is the same wherever it is read: what the attribute made of a literal, or a constant.
fn is_constant(value: &Expr) -> bool {
    match value {
        Expr::Lit(_) | Expr::Verbatim(_) => true,
        Expr::Path(path) => path.path.segments.last().is_some_and(|last| {
            last.ident.to_string().chars().all(|char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_')
        }),
        _ => false,
    }
}
