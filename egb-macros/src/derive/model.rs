//! The checked type: for each variant where its status, its wait and its reason come from.

use syn::{Attribute, Data, DeriveInput, Field, Fields, Ident, Member, Meta, Path, Type};

use super::attr::{Source, StatusAttr, member};
use crate::mistakes::Mistakes;

pub(super) struct Model<'a> {
    pub(super) input: &'a DeriveInput,
    pub(super) krate: Option<Path>,
    /// One for a struct.
    pub(super) variants: Vec<Variant<'a>>,
}

pub(super) struct Variant<'a> {
    /// `None` is the struct itself.
    pub(super) ident: Option<&'a Ident>,
    pub(super) status: Status<'a>,
    pub(super) retry_after: Option<(Member, &'a Type)>,
    pub(super) reason: Option<Ident>,
}

pub(super) enum Status<'a> {
    Code(u16),
    Field(Member, &'a Type),
    /// The member that holds the wrapped error, and its type.
    Transparent(Member, &'a Type),
    None,
}

const MISSING: &str = "egb does not know the status of this; add `#[status(429)]`, `#[status(field = status)]`, \
                       `#[status(transparent)]` or `#[status(none)]`";

impl<'a> Model<'a> {
    pub(super) fn check(input: &'a DeriveInput, mistakes: &mut Mistakes) -> Self {
        let mut model = Self { input, krate: None, variants: Vec::new() };
        let on_type = StatusAttr::of(&input.attrs, mistakes);
        check_no_mark(&input.attrs, mistakes);
        match &input.data {
            Data::Struct(data) => {
                let attr = on_type.unwrap_or_default();
                model.krate.clone_from(&attr.krate);
                if attr.is_missing() {
                    mistakes.at(&input.ident, MISSING);
                }
                model.variants.push(Variant::check(None, &data.fields, attr, mistakes));
            }
            Data::Enum(data) => {
                let on_type = on_type.unwrap_or_default();
                if on_type.source.is_some() || on_type.reason.is_some() {
                    let attr = input.attrs.iter().find(|attr| attr.path().is_ident("status"));
                    mistakes.at(&attr, "the status of an enum is said of each variant");
                }
                model.krate = on_type.krate;
                for variant in &data.variants {
                    check_no_mark(&variant.attrs, mistakes);
                    let attr = StatusAttr::of(&variant.attrs, mistakes).unwrap_or_default();
                    if attr.is_missing() {
                        mistakes.at(&variant.ident, MISSING);
                    }
                    model.variants.push(Variant::check(Some(&variant.ident), &variant.fields, attr, mistakes));
                }
            }
            Data::Union(data) => {
                mistakes.at(&data.union_token, "a union can't tell which of its fields it holds; take an enum");
            }
        }
        model
    }
}

impl<'a> Variant<'a> {
    fn check(ident: Option<&'a Ident>, fields: &'a Fields, attr: StatusAttr, mistakes: &mut Mistakes) -> Self {
        let mut retry_after = None;
        for (position, field) in fields.iter().enumerate() {
            if let Some(status) = field.attrs.iter().find(|attr| attr.path().is_ident("status")) {
                let place = if ident.is_some() { "variant" } else { "struct" };
                let message =
                    format!("`#[status(..)]` belongs on the {place}: `#[status(field = {})]`", show(position, field));
                mistakes.at(status, message);
            }
            if let Some(mark) = has(&field.attrs, "retry_after") {
                if !matches!(mark.meta, Meta::Path(_)) {
                    mistakes.at(&mark.meta, "`#[retry_after]` takes no arguments: the field's value is the wait");
                }
                if retry_after.is_some() {
                    mistakes.at(mark, "another field is marked `#[retry_after]` already; keep one");
                }
                retry_after = Some((member(position, field.ident.as_ref()), &field.ty));
            }
        }
        let status = match attr.source {
            None | Some(Source::None) => Status::None,
            // The number was checked when it was read.
            Some(Source::Code(code)) => Status::Code(code.base10_parse().unwrap_or_default()),
            Some(Source::Field(wanted)) => {
                if let Some(field) = find(fields, &wanted) {
                    Status::Field(wanted, &field.ty)
                } else {
                    let there = fields.iter().enumerate().map(|(at, field)| format!("`{}`", show(at, field)));
                    let there = there.collect::<Vec<_>>().join(", ");
                    let there = if there.is_empty() { "it has none".to_owned() } else { format!("there are {there}") };
                    mistakes.at(&wanted, format!("no field has this name; {there}"));
                    Status::None
                }
            }
            Some(Source::Transparent(at)) => transparent(fields, &at, mistakes),
        };
        Self { ident, status, retry_after, reason: attr.reason }
    }
}

fn check_no_mark(attrs: &[Attribute], mistakes: &mut Mistakes) {
    if let Some(mark) = has(attrs, "retry_after") {
        mistakes.at(mark, "`#[retry_after]` belongs on the field that holds the wait");
    }
}

/// The one field, or the one that thiserror knows as the source.
fn transparent<'a>(fields: &'a Fields, at: &Ident, mistakes: &mut Mistakes) -> Status<'a> {
    let all: Vec<(usize, &Field)> = fields.iter().enumerate().collect();
    let is_source = |field: &Field| {
        let is_marked = has(&field.attrs, "source").is_some() || has(&field.attrs, "from").is_some();
        is_marked || field.ident.as_ref().is_some_and(|ident| ident == "source")
    };
    let mut marked = all.iter().filter(|(_, field)| is_source(field));
    let chosen = match (&all[..], marked.next(), marked.next()) {
        ([one], ..) => Some(one),
        (_, Some(marked), None) => Some(marked),
        _ => None,
    };
    let Some((position, field)) = chosen else {
        mistakes.at(at, "`transparent` needs one field that holds the error: the only one, the one named `source`, or the one marked `#[source]` or `#[from]`");
        return Status::None;
    };
    Status::Transparent(member(*position, field.ident.as_ref()), &field.ty)
}

fn find<'a>(fields: &'a Fields, wanted: &Member) -> Option<&'a Field> {
    fields.iter().enumerate().find(|(at, field)| member(*at, field.ident.as_ref()) == *wanted).map(|(_, field)| field)
}

fn has<'a>(attrs: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attrs.iter().find(|attr| attr.path().is_ident(name))
}

fn show(position: usize, field: &Field) -> String {
    field.ident.as_ref().map_or_else(|| position.to_string(), ToString::to_string)
}
