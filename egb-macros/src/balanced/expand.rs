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

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprReference, ReceiverKind, Token, Type};

use super::arguments::{Arg, Mutable};
use super::key::KeyParam;
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

    /// Moves the arguments that a sync function owns, of which attempts take copies: else lints would have them
    /// taken by reference.
    fn used_up(&self) -> TokenStream {
        let is_owned = |arg: &&Arg| !self.is_async() && !matches!(peel(&arg.ty), Type::Reference(_));
        let args = self.model.args.iter().filter(is_owned);
        args.map(|Arg { name, again, cfg, .. }| quote!(#(#cfg)* let #again = #name;)).collect()
    }

    /// Binds the lease, or returns the error of egb.
    fn acquire(&self) -> TokenStream {
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

    /// A body that takes the lease gets it; what ends the call then is the stub.
    fn lend(&self) -> Option<TokenStream> {
        let Self { private, call, .. } = self;
        let given = ours("__given");
        let mutability = (!self.is_async()).then(|| quote!(mut));
        self.model.key.is_lease.then(|| quote!(let (#mutability #call, #given) = #private::lend(#call);))
    }

    /// How retries follow each other, where it is no constant: read before the body takes the arguments.
    fn pace_ahead(&self) -> Option<TokenStream> {
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
        let Some(count) = &self.model.options.keys else { return quote!(1) };
        let mut tokens = count.to_token_stream().into_iter();
        let is_block = |token| matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace);
        // At the head of other braces a block would be a statement of its own: `{ { N } + 1 }`.
        if is_block(tokens.next()) && tokens.next().is_some() { quote!((#count)) } else { quote!(#count) }
    }

    /// From a lease to its verdict, in a sync function.
    fn sync_attempt(&self) -> TokenStream {
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
    fn async_attempt(&self) -> TokenStream {
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
    fn hedged(&self, hedge: &Expr) -> TokenStream {
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

    /// A retry uses `&mut self`, `self: Arc<Self>` and the like again: they are borrowed then.
    fn captures_by_move(&self) -> bool {
        let receiver = self.model.function.sig.receiver();
        let is_shared = receiver.is_none_or(|receiver| matches!(receiver.kind, ReceiverKind::Reference(_, _, None)));
        is_shared || !self.model.options.retries()
    }

    /// Copies of the arguments for one attempt, and their bindings to the names that the body knows.
    fn arguments(&self) -> (TokenStream, TokenStream) {
        let (mut copies, mut bindings) = (TokenStream::new(), TokenStream::new());
        for arg in &self.model.args {
            let Arg { name, again, pattern, ty, cfg, lints, in_options } = arg;
            let value = self.once_more(name, ty);
            copies.extend(quote!(#(#cfg)* let #again = #value;));
            // A pattern may borrow from its value, mutably too (`ref mut`): from a temporary then, which lives on.
            let taken = if arg.is_plain() { quote!(#again) } else { quote!(::core::convert::identity(#again)) };
            bindings.extend(quote!(#(#cfg)* #(#lints)* let #pattern = #taken;));
            bindings.extend(in_options.iter().map(|name| quote!(#(#cfg)* let _ = #name;)));
        }
        (copies, bindings)
    }

    /// What the body may change is its own, and not a part of something that it captured.
    fn mutable(&self) -> TokenStream {
        let args = self.model.mutable.iter();
        let args = args
            .map(|Mutable { mutability, name, cfg, lints }| quote!(#(#cfg)* #(#lints)* let #mutability #name = #name;));
        let KeyParam { ident, mutability, lints, .. } = &self.model.key;
        let key = mutability.filter(|_| self.is_async());
        let key = key.map(|mutability| quote!(#(#lints)* let #mutability #ident = #ident;));
        args.chain(key).collect()
    }

    fn once_more(&self, ident: &Ident, ty: &Type) -> TokenStream {
        match peel(ty) {
            Type::Reference(reference) if reference.mutability.is_some() => quote!(&mut *#ident),
            Type::Reference(_) => quote!(#ident),
            owned => {
                let (private, span) = (&self.private, at(&owned));
                let ty = match owned {
                    Type::ImplTrait(_) => quote_spanned!(span=> _),
                    named => named.to_token_stream(),
                };
                quote_spanned!(span=> <#ty as #private::Again>::again(&#ident))
            }
        }
    }

    fn key(&self) -> TokenStream {
        let Self { private, call, keys, .. } = self;
        let key = &self.model.key;
        let KeyParam { ident, ty, .. } = key;
        let mutability = key.mutability.filter(|_| !self.is_async());
        // One that is bound again in the body has its lints there.
        let lints = if key.mutability.is_some() && self.is_async() { &[][..] } else { &key.lints };
        if key.is_lease {
            let given = ours("__given");
            return quote!(#(#lints)* let #mutability #ident: #ty = #given;);
        }
        let count = self.count();
        let inject =
            |keys: TokenStream| quote_spanned!(at(ty)=> <#ty as #private::Inject<'_, { #count }>>::inject(#keys));
        if !self.is_async() {
            let inject = inject(keys.to_token_stream());
            return quote!(#(#lints)* let #mutability #ident: #ty = #inject;);
        }
        if owns_its_key(ty) {
            let give = quote_spanned!(at(ty)=> #private::give::<#ty, { #count }, _>(#call));
            return quote!(#(#lints)* let (#call, #ident) = #give;);
        }
        let inject = inject(quote!(&#keys));
        quote! {
            let (#call, #keys) = #private::keys(#call);
            #(#lints)*
            let #ident: #ty = #inject;
        }
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

/// Whether the type is one of egb's that borrows nothing, whatever it is called; any other name may hide a lifetime.
fn owns_its_key(ty: &Type) -> bool {
    match peel(ty) {
        Type::Array(_) => true,
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            let is_bare = ["Key", "String"].iter().any(|name| last.ident == name) && last.arguments.is_none();
            is_bare || last.ident == "Vec"
        }),
        _ => false,
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
