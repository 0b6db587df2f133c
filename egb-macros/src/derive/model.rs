//! The checked type: for each variant where its status, its wait and its reason come from.

use proc_macro2::Span;
use syn::{Attribute, Data, DeriveInput, Fields, Ident, Path};

use super::attr::{Source, StatusAttr};
use super::fields::{self, Asked, mark};
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
    pub(super) retry_after: Option<Asked<'a>>,
    pub(super) reason: Option<Ident>,
}

pub(super) enum Status<'a> {
    Code(u16),
    Field(Asked<'a>),
    /// The field that holds the wrapped error.
    Transparent(Asked<'a>),
    None,
}

const MISSING: &str = "egb does not know the status of this; add `#[status(429)]`, `#[status(field = status)]`, \
                       `#[status(transparent)]` or `#[status(none)]`";

impl<'a> Model<'a> {
    pub(super) fn check(input: &'a DeriveInput, mistakes: &mut Mistakes) -> Self {
        check_no_wait(&input.attrs, mistakes);
        let mut model = Self { input, krate: None, variants: Vec::new() };
        match &input.data {
            Data::Struct(data) => {
                let mut attr = StatusAttr::of(&input.attrs, &data.fields, mistakes);
                model.krate = attr.krate.take().map(|(path, _)| path);
                if attr.is_missing() {
                    mistakes.at(&input.ident, MISSING);
                }
                model.variants.push(Variant::check(None, &data.fields, attr, mistakes));
            }
            Data::Enum(data) => {
                let on_type = StatusAttr::of(&input.attrs, &Fields::Unit, mistakes);
                let misplaced = on_type.source.map(|(_, at)| at).or(on_type.reason.map(|(_, at)| at));
                if let Some(at) = misplaced {
                    mistakes.at_span(at, "the status of an enum is said of each variant: move `#[status(..)]` there");
                }
                model.krate = on_type.krate.map(|(path, _)| path);
                for variant in &data.variants {
                    check_no_wait(&variant.attrs, mistakes);
                    let attr = StatusAttr::of(&variant.attrs, &variant.fields, mistakes);
                    if attr.is_missing() && misplaced.is_none() {
                        mistakes.at(&variant.ident, MISSING);
                    }
                    if let Some((_, at)) = attr.krate {
                        mistakes.at_span(at, "say it once, above the whole type: `#[status(crate = ..)]`");
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
        fields::check_no_status(fields, if ident.is_some() { "variant" } else { "struct" }, mistakes);
        let retry_after = fields::wait(fields, mistakes);
        let status = attr.source.map_or(Status::None, |(source, at)| Status::check(source, at, fields, mistakes));
        Self { ident, status, retry_after, reason: attr.reason.map(|(reason, _)| reason) }
    }
}

impl<'a> Status<'a> {
    fn check(source: Source, at: Span, fields: &'a Fields, mistakes: &mut Mistakes) -> Self {
        match source {
            Source::Code(code) => Self::Code(code),
            Source::None => Self::None,
            Source::Field(wanted) => fields::find(fields, &wanted, mistakes).map_or(Self::None, Self::Field),
            Source::Transparent => fields::source(fields, at, mistakes).map_or(Self::None, Self::Transparent),
        }
    }
}

fn check_no_wait(attrs: &[Attribute], mistakes: &mut Mistakes) {
    if let Some(mark) = mark(attrs, "retry_after") {
        mistakes.at(mark, "`#[retry_after]` belongs on the field that holds the wait");
    }
}
