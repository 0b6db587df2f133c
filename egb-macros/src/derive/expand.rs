//! The impl: one match for each method of the trait.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, GenericParam, Meta, Type, WherePredicate};

use super::fields::{Asked, inside_option, mark};
use super::model::{Model, Status, Variant};
use crate::tokens::mentions;

pub(super) fn expand(model: &Model<'_>) -> TokenStream {
    let krate = krate(model);
    let status_code = method(model, |variant| status_code(variant, &krate));
    let mut methods = quote! {
        fn status_code(&self) -> ::core::option::Option<::core::primitive::u16> { #status_code }
    };
    let forwards = model.variants.iter().any(|variant| matches!(variant.status, Status::Transparent(_)));
    if forwards || model.variants.iter().any(|variant| variant.retry_after.is_some()) {
        let retry_after = method(model, |variant| retry_after(variant, &krate));
        methods.extend(quote! {
            fn retry_after(&self) -> ::core::option::Option<::core::time::Duration> { #retry_after }
        });
    }
    if forwards || model.variants.iter().any(|variant| variant.reason.is_some()) {
        let reason = method(model, |variant| reason(variant, &krate));
        methods.extend(quote! {
            fn reason(&self) -> ::core::option::Option<#krate::Reason> { #reason }
        });
    }
    implement(model, &bounds(model, &krate), &methods)
}

/// An impl that says nothing, for a type with mistakes.
pub(super) fn fallback(model: &Model<'_>) -> TokenStream {
    let methods = quote! {
        fn status_code(&self) -> ::core::option::Option<::core::primitive::u16> { ::core::option::Option::None }
    };
    implement(model, &[], &methods)
}

fn krate(model: &Model<'_>) -> TokenStream {
    model.krate.as_ref().map_or_else(|| quote!(::egb), ToTokens::to_token_stream)
}

fn implement(model: &Model<'_>, bounds: &[WherePredicate], methods: &TokenStream) -> TokenStream {
    let (krate, mut ident) = (krate(model), model.input.ident.clone());
    if mark(&model.input.attrs, "deprecated").is_some() {
        // Said by the macro, it is no use of it.
        ident.set_span(ident.span().resolved_at(Span::call_site()));
    }
    let allowed = allowed(model.input);
    let mut generics = model.input.generics.clone();
    generics.make_where_clause().predicates.extend(bounds.iter().cloned());
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    // What is allowed for the type is allowed for what is made of it.
    quote! {
        #(#[allow(#allowed)])*
        #[automatically_derived]
        impl #impl_generics #krate::StatusCode for #ident #type_generics #where_clause {
            #methods
        }
    }
}

/// The lints that the user allows on the type or in it: the impl names the same types again.
fn allowed(input: &DeriveInput) -> impl Iterator<Item = &TokenStream> {
    let (own, variants) = match &input.data {
        Data::Struct(data) => (Some(&data.fields), None),
        Data::Enum(data) => (None, Some(&data.variants)),
        Data::Union(_) => (None, None),
    };
    let variants = || variants.into_iter().flatten();
    let fields = own.into_iter().chain(variants().map(|variant| &variant.fields)).flatten();
    let inner = variants().flat_map(|variant| &variant.attrs).chain(fields.flat_map(|field| &field.attrs));
    input.attrs.iter().chain(inner).filter_map(|attr| match &attr.meta {
        Meta::List(list) if list.path.is_ident("allow") || list.path.is_ident("expect") => Some(&list.tokens),
        _ => None,
    })
}

/// Of a generic type, the fields that are asked have to be able to answer.
fn bounds(model: &Model<'_>, krate: &TokenStream) -> Vec<WherePredicate> {
    let (input, mut bounds) = (model.input, Vec::new());
    let params = input.generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(param) => Some(&param.ident),
        GenericParam::Const(param) => Some(&param.ident),
        GenericParam::Lifetime(_) => None,
    });
    let params: Vec<&Ident> = params.collect();
    let is_param = |ident: &Ident| params.contains(&ident);
    // A type inside itself answers by this impl; as a condition of it, that has no end.
    let is_self = |ident: &Ident| *ident == input.ident || ident == "Self";
    let mut require = |ty: &Type, bound: TokenStream| {
        if mentions(ty.to_token_stream(), &is_param) && !mentions(ty.to_token_stream(), &is_self) {
            bounds.push(syn::parse_quote!(#ty: #bound));
        }
    };
    for variant in &model.variants {
        match &variant.status {
            Status::Field(field) => require(field.ty, quote!(#krate::__private::StatusField)),
            Status::Transparent(field) => {
                require(inside_option(field.ty).unwrap_or(field.ty), quote!(#krate::StatusCode));
            }
            Status::Code(_) | Status::None => {}
        }
        if let Some(field) = &variant.retry_after {
            require(field.ty, quote!(#krate::__private::RetryAfterField));
        }
    }
    bounds
}

fn method(model: &Model<'_>, arm: impl Fn(&Variant<'_>) -> TokenStream) -> TokenStream {
    if model.variants.is_empty() {
        return quote!(match *self {});
    }
    let arms = model.variants.iter().map(arm);
    quote!(match self { #(#arms)* })
}

/// `Self::Variant { field, .. } => value,`
fn arm(variant: &Variant<'_>, field: Option<TokenStream>, value: &TokenStream) -> TokenStream {
    let path = variant.ident.map_or_else(|| quote!(Self), |ident| quote!(Self::#ident));
    let field = field.into_iter();
    quote!(#path { #(#field,)* .. } => #value,)
}

fn none(variant: &Variant<'_>) -> TokenStream {
    arm(variant, None, &quote!(::core::option::Option::None))
}

/// Asks a field; what its type lacks is said of the type.
fn ask(variant: &Variant<'_>, field: &Asked<'_>, which: &TokenStream, method: &str) -> TokenStream {
    let (member, bound) = (&field.member, bound());
    arm(variant, Some(quote!(#member: #bound)), &call(field.ty, which, method))
}

/// Asks the wrapped error.
fn forward(variant: &Variant<'_>, field: &Asked<'_>, method: &str, krate: &TokenStream) -> TokenStream {
    let which = quote!(#krate::StatusCode);
    let Some(inside) = inside_option(field.ty) else {
        return ask(variant, field, &which, method);
    };
    let (member, bound) = (&field.member, bound());
    let pattern = quote!(#member: ::core::option::Option::Some(#bound));
    let (some, none) = (arm(variant, Some(pattern), &call(inside, &which, method)), none(variant));
    quote!(#some #none)
}

fn call(ty: &Type, which: &TokenStream, method: &str) -> TokenStream {
    let span = ty.span().resolved_at(Span::mixed_site());
    let (bound, method) = (bound(), Ident::new(method, span));
    quote_spanned!(span=> <#ty as #which>::#method(#bound))
}

fn bound() -> Ident {
    Ident::new("__field", Span::mixed_site())
}

fn status_code(variant: &Variant<'_>, krate: &TokenStream) -> TokenStream {
    match &variant.status {
        Status::None => none(variant),
        Status::Code(code) => arm(variant, None, &quote!(::core::option::Option::Some(#code))),
        Status::Field(field) => ask(variant, field, &quote!(#krate::__private::StatusField), "status"),
        Status::Transparent(field) => forward(variant, field, "status_code", krate),
    }
}

fn retry_after(variant: &Variant<'_>, krate: &TokenStream) -> TokenStream {
    match (&variant.retry_after, &variant.status) {
        (Some(field), _) => ask(variant, field, &quote!(#krate::__private::RetryAfterField), "retry_after"),
        (None, Status::Transparent(field)) => forward(variant, field, "retry_after", krate),
        _ => none(variant),
    }
}

fn reason(variant: &Variant<'_>, krate: &TokenStream) -> TokenStream {
    match (&variant.reason, &variant.status) {
        (Some(reason), _) => arm(variant, None, &quote!(::core::option::Option::Some(#krate::Reason::#reason))),
        (None, Status::Transparent(field)) => forward(variant, field, "reason", krate),
        _ => none(variant),
    }
}
