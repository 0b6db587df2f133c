//! The names that the body knows: the key, and the arguments, of which each attempt may take copies.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;

use super::super::arguments::{Arg, Mutable};
use super::super::key::KeyParam;
use super::{Expansion, at, ours};
use crate::tokens::peel;

impl Expansion<'_> {
    /// Copies of the arguments for one attempt, and their bindings to the names that the body knows.
    pub(super) fn arguments(&self) -> (TokenStream, TokenStream) {
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

    /// Moves the arguments that a sync function owns, of which attempts take copies: else lints would have them
    /// taken by reference.
    pub(super) fn used_up(&self) -> TokenStream {
        let is_owned = |arg: &&Arg| !self.is_async() && !matches!(peel(&arg.ty), Type::Reference(_));
        let args = self.model.args.iter().filter(is_owned);
        args.map(|Arg { name, again, cfg, .. }| quote!(#(#cfg)* let #again = #name;)).collect()
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

    /// What the body may change is its own, and not a part of something that it captured.
    pub(super) fn mutable(&self) -> TokenStream {
        let args = self.model.mutable.iter();
        let args = args
            .map(|Mutable { mutability, name, cfg, lints }| quote!(#(#cfg)* #(#lints)* let #mutability #name = #name;));
        let KeyParam { ident, mutability, lints, .. } = &self.model.key;
        let key = mutability.filter(|_| self.is_async());
        let key = key.map(|mutability| quote!(#(#lints)* let #mutability #ident = #ident;));
        args.chain(key).collect()
    }

    pub(super) fn key(&self) -> TokenStream {
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
