//! The impl: one match for each method of the trait.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::token::Where;
use syn::{Member, Type, WhereClause};

use super::model::{Model, Status, Variant};
use crate::tokens::mentions;

pub(super) fn expand(model: &Model<'_>) -> TokenStream {
    let krate = krate(model);
    let status_code = method(model, |variant| status_code(variant, &krate));
    let retry_after = method(model, |variant| retry_after(variant, &krate));
    let reason = method(model, |variant| reason(variant, &krate));
    let mut methods = quote! {
        fn status_code(&self) -> ::core::option::Option<u16> { #status_code }
    };
    let forwards = model.variants.iter().any(|variant| matches!(variant.status, Status::Transparent(..)));
    if forwards || model.variants.iter().any(|variant| variant.retry_after.is_some()) {
        methods.extend(quote! {
            fn retry_after(&self) -> ::core::option::Option<::core::time::Duration> { #retry_after }
        });
    }
    if forwards || model.variants.iter().any(|variant| variant.reason.is_some()) {
        methods.extend(quote! {
            fn reason(&self) -> ::core::option::Option<#krate::Reason> { #reason }
        });
    }
    implement(model, &methods)
}

/// An impl that says nothing, for a type with mistakes.
pub(super) fn fallback(model: &Model<'_>) -> TokenStream {
    let methods = quote! {
        fn status_code(&self) -> ::core::option::Option<u16> { ::core::option::Option::None }
    };
    implement(model, &methods)
}

fn krate(model: &Model<'_>) -> TokenStream {
    model.krate.as_ref().map_or_else(|| quote!(::egb), ToTokens::to_token_stream)
}

fn implement(model: &Model<'_>, methods: &TokenStream) -> TokenStream {
    let (krate, ident) = (krate(model), &model.input.ident);
    let (impl_generics, type_generics, where_clause) = model.input.generics.split_for_impl();
    let where_clause = with_bounds(model, where_clause.cloned(), &krate);
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::StatusCode for #ident #type_generics #where_clause {
            #methods
        }
    }
}

/// Of a generic type, the fields that are asked have to be able to answer.
fn with_bounds(model: &Model<'_>, clause: Option<WhereClause>, krate: &TokenStream) -> Option<WhereClause> {
    let params: Vec<&Ident> = model.input.generics.type_params().map(|param| &param.ident).collect();
    let is_param = |ident: &Ident| params.contains(&ident);
    let mut clause = clause;
    let mut require = |ty: &Type, bound: TokenStream| {
        if mentions(ty.to_token_stream(), &is_param) {
            let empty = || WhereClause { where_token: Where::default(), predicates: Punctuated::default() };
            clause.get_or_insert_with(empty).predicates.push(syn::parse_quote!(#ty: #bound));
        }
    };
    for variant in &model.variants {
        match &variant.status {
            Status::Field(_, ty) => require(ty, quote!(#krate::__private::StatusField)),
            Status::Transparent(_, ty) => require(ty, quote!(#krate::StatusCode)),
            Status::Code(_) | Status::None => {}
        }
        if let Some((_, ty)) = &variant.retry_after {
            require(ty, quote!(#krate::__private::RetryAfterField));
        }
    }
    clause
}

fn method(model: &Model<'_>, arm: impl Fn(&Variant<'_>) -> TokenStream) -> TokenStream {
    if model.variants.is_empty() {
        return quote!(match *self {});
    }
    let arms = model.variants.iter().map(arm);
    quote!(match self { #(#arms)* })
}

fn field() -> Ident {
    Ident::new("__field", Span::mixed_site())
}

/// `Self::Variant { member: __field, .. }`
fn pattern(variant: &Variant<'_>, member: Option<&Member>) -> TokenStream {
    let path = variant.ident.map_or_else(|| quote!(Self), |ident| quote!(Self::#ident));
    let field = field();
    member.map_or_else(|| quote!(#path { .. }), |member| quote!(#path { #member: #field, .. }))
}

fn arm(variant: &Variant<'_>, member: Option<&Member>, value: &TokenStream) -> TokenStream {
    let pattern = pattern(variant, member);
    quote!(#pattern => #value,)
}

fn none(variant: &Variant<'_>) -> TokenStream {
    arm(variant, None, &quote!(::core::option::Option::None))
}

fn status_code(variant: &Variant<'_>, krate: &TokenStream) -> TokenStream {
    let field = field();
    match &variant.status {
        Status::None => none(variant),
        Status::Code(code) => arm(variant, None, &quote!(::core::option::Option::Some(#code))),
        Status::Field(member, ty) => {
            let span = ty.span().resolved_at(Span::mixed_site());
            let value = quote_spanned!(span=> <#ty as #krate::__private::StatusField>::status(#field));
            arm(variant, Some(member), &value)
        }
        Status::Transparent(member, ty) => forward(variant, member, ty, &quote!(status_code), krate),
    }
}

fn retry_after(variant: &Variant<'_>, krate: &TokenStream) -> TokenStream {
    if let Some((member, ty)) = &variant.retry_after {
        let (field, span) = (field(), ty.span().resolved_at(Span::mixed_site()));
        let value = quote_spanned!(span=> <#ty as #krate::__private::RetryAfterField>::retry_after(#field));
        return arm(variant, Some(member), &value);
    }
    match &variant.status {
        Status::Transparent(member, ty) => forward(variant, member, ty, &quote!(retry_after), krate),
        _ => none(variant),
    }
}

fn reason(variant: &Variant<'_>, krate: &TokenStream) -> TokenStream {
    if let Some(reason) = &variant.reason {
        return arm(variant, None, &quote!(::core::option::Option::Some(#krate::Reason::#reason)));
    }
    match &variant.status {
        Status::Transparent(member, ty) => forward(variant, member, ty, &quote!(reason), krate),
        _ => none(variant),
    }
}

/// Asks the wrapped error; what it lacks is said of its type.
fn forward(
    variant: &Variant<'_>,
    member: &Member,
    ty: &Type,
    method: &TokenStream,
    krate: &TokenStream,
) -> TokenStream {
    let (field, span) = (field(), ty.span().resolved_at(Span::mixed_site()));
    let value = quote_spanned!(span=> <#ty as #krate::StatusCode>::#method(#field));
    arm(variant, Some(member), &value)
}
