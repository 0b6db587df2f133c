//! The fields of a struct or variant, by the name or number that a user knows them by.

use proc_macro2::Span;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, Field, Fields, GenericArgument, Member, Meta, PathArguments, Type};

use crate::mistakes::{Mistakes, did_you_mean};
use crate::tokens::peel;

/// A field that the expansion asks.
pub(super) struct Asked<'a> {
    pub(super) member: Member,
    pub(super) ty: &'a Type,
}

/// The attribute of this name.
pub(super) fn mark<'a>(attrs: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attrs.iter().find(|attr| attr.path().is_ident(name))
}

/// `status`, `r#type`, `0`.
pub(super) fn names(fields: &Fields) -> impl Iterator<Item = String> {
    fields.members().map(|member| member.to_token_stream().to_string())
}

/// The field that `field = wanted` means.
pub(super) fn find<'a>(fields: &'a Fields, wanted: &Member, mistakes: &mut Mistakes) -> Option<Asked<'a>> {
    if let Some((member, field)) = all(fields).find(|(member, _)| member == wanted) {
        return Some(Asked { member, ty: &field.ty });
    }
    let (wanted_name, names) = (wanted.to_token_stream().to_string(), names(fields).collect::<Vec<_>>());
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let there = match (&known[..], did_you_mean(&wanted_name, &known)) {
        ([], _) => "there are none; say `#[status(none)]`, or a number: `#[status(429)]`".to_owned(),
        (&[meant], _) | (_, Some(meant)) => format!("did you mean `field = {meant}`?"),
        _ => format!("there are `{}`", known.join("`, `")),
    };
    mistakes.at(wanted, format!("there is no field `{wanted_name}`; {there}"));
    None
}

/// The field that `transparent` asks: the only one, or thiserror's source.
pub(super) fn source<'a>(fields: &'a Fields, at: Span, mistakes: &mut Mistakes) -> Option<Asked<'a>> {
    let all: Vec<(Member, &Field)> = all(fields).collect();
    let source_mark = |field: &'a Field| mark(&field.attrs, "source").or_else(|| mark(&field.attrs, "from"));
    let is_named = |member: &Member| matches!(member, Member::Named(name) if name.unraw() == "source");
    let marked: Vec<_> = all.iter().filter(|(_, field)| source_mark(field).is_some()).collect();
    let by_name = all.iter().find(|(member, _)| is_named(member));
    let (member, field) = match (&all[..], &marked[..], by_name) {
        ([only], ..) => only,
        (_, [marked], _) => marked,
        (_, [], Some(named)) => named,
        ([], ..) => {
            mistakes.at_span(at, "`transparent` asks the wrapped error, and there is none; say `#[status(none)]`");
            return None;
        }
        (_, [], None) => {
            let names = names(fields).collect::<Vec<_>>().join("`, `");
            let message = format!("which of `{names}` is the wrapped error? Mark it `#[source]`, or `#[from]`");
            mistakes.at_span(at, message);
            return None;
        }
        (_, [_, (_, second), ..], _) => {
            mistakes
                .at(&source_mark(second), "`transparent` can ask one error, and another is marked already; keep one");
            return None;
        }
    };
    Some(Asked { member: member.clone(), ty: &field.ty })
}

/// The field marked `#[retry_after]`.
pub(super) fn wait<'a>(fields: &'a Fields, mistakes: &mut Mistakes) -> Option<Asked<'a>> {
    let mut found = None;
    for (member, field) in all(fields) {
        for mark in field.attrs.iter().filter(|attr| attr.path().is_ident("retry_after")) {
            if !matches!(mark.meta, Meta::Path(_)) {
                mistakes.at(&mark.meta, "the field's value is the wait; write only `#[retry_after]`");
            }
            if found.is_some() {
                mistakes.at(mark, "there is a `#[retry_after]` already; keep one");
            }
            found = Some(Asked { member: member.clone(), ty: &field.ty });
        }
    }
    found
}

/// `#[status(..)]` says everything in one place, which is not a field.
pub(super) fn check_no_status(fields: &Fields, place: &str, mistakes: &mut Mistakes) {
    for (name, field) in names(fields).zip(fields) {
        if let Some(status) = mark(&field.attrs, "status") {
            mistakes.at(status, format!("`#[status(..)]` belongs on the {place}: `#[status(field = {name})]`"));
        }
    }
}

/// `E` of `Option<E>`, which thiserror takes as a source, too. A type under another name is not seen through.
pub(super) fn inside_option(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = peel(ty) else { return None };
    let last = path.path.segments.last()?;
    match &last.arguments {
        PathArguments::AngleBracketed(inside) if last.ident == "Option" => match inside.args.first()? {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        },
        _ => None,
    }
}

fn all(fields: &Fields) -> impl Iterator<Item = (Member, &Field)> {
    fields.members().zip(fields)
}
