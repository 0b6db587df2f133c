//! `#[status(..)]` as written.

use std::fmt::Write;

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::token::Paren;
use syn::{Attribute, Fields, Ident, LitInt, LitStr, Member, Meta, Path, Token};

use super::fields::names;
use crate::mistakes::{Mistakes, did_you_mean};
use crate::tokens::absolute;

const KNOWN: [&str; 5] = ["field", "transparent", "none", "reason", "crate"];
const FORMS: &str = "`#[status(429)]`, `#[status(field = status)]`, `#[status(transparent)]` or `#[status(none)]`";

/// Where a variant's status comes from.
pub(super) enum Source {
    /// Always this one.
    Code(u16),
    /// A field holds it.
    Field(Member),
    /// The wrapped error knows.
    Transparent,
    /// It has none.
    None,
}

/// Everything that the `#[status(..)]` of one variant says, each with its place.
#[derive(Default)]
pub(super) struct StatusAttr {
    pub(super) source: Option<(Source, Span)>,
    pub(super) reason: Option<(Ident, Span)>,
    pub(super) krate: Option<(Path, Span)>,
    /// Part of it could not be read, which must not be reported as missing too.
    is_broken: bool,
}

impl StatusAttr {
    /// Reads all `#[status(..)]` of something that has these fields.
    pub(super) fn of(attrs: &[Attribute], fields: &Fields, mistakes: &mut Mistakes) -> Self {
        let mut status = Self::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("status")) {
            let parsed = match &attr.meta {
                Meta::List(list) if !list.tokens.is_empty() => {
                    attr.parse_args_with(|input: ParseStream<'_>| status.parse(input, fields))
                }
                _ => Err(syn::Error::new_spanned(attr, format!("say where the status comes from: {FORMS}"))),
            };
            if let Err(mistake) = parsed {
                status.is_broken = true;
                mistakes.add(mistake);
            }
        }
        status
    }

    /// Whether nothing was said of where the status comes from.
    pub(super) fn is_missing(&self) -> bool {
        self.source.is_none() && !self.is_broken
    }

    fn parse(&mut self, input: ParseStream<'_>, fields: &Fields) -> syn::Result<()> {
        while !input.is_empty() {
            self.parse_one(input, fields)?;
            if !input.is_empty() && input.parse::<Option<Token![,]>>()?.is_none() {
                return Err(input.error("expected `,`"));
            }
        }
        Ok(())
    }

    fn parse_one(&mut self, input: ParseStream<'_>, fields: &Fields) -> syn::Result<()> {
        if input.peek(LitInt) {
            return self.parse_code(input, fields);
        }
        if input.peek(LitStr) {
            return Err(input.error("a status is written without quotes: `#[status(429)]`"));
        }
        if input.peek(Token![::]) || input.peek2(Token![::]) {
            return Err(input.error(
                "a status is written as a number: `#[status(429)]`; a reason by its name: `reason = RateLimited`",
            ));
        }
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format!("expected {FORMS}")));
        }
        let name = input.call(Ident::parse_any)?;
        match name.to_string().as_str() {
            word @ ("transparent" | "none") => {
                if input.peek(Token![=]) || input.peek(Paren) {
                    return Err(input.error(format!("`{word}` takes no value: `#[status({word})]`")));
                }
                let source = if word == "none" { Source::None } else { Source::Transparent };
                self.set(source, name.span())
            }
            "field" => {
                let member = named_value(input, &name, "the name or number of a field: `field = status`")?;
                self.set(Source::Field(member), name.span())
            }
            "reason" => {
                let path: Path = named_value(input, &name, "a variant of `egb::Reason`: `reason = InvalidKey`")?;
                let Some(reason) = path.get_ident() else {
                    let last = path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
                    return Err(syn::Error::new_spanned(
                        &path,
                        format!("a reason is said by its name alone: `reason = {last}`"),
                    ));
                };
                once(&mut self.reason, reason.clone(), name.span(), "the reason is given twice; keep one")
            }
            "crate" => {
                let path = absolute(named_value(input, &name, "a path: `crate = ::path::to::egb`")?)?;
                once(&mut self.krate, path, name.span(), "the path of egb is given twice; keep one")
            }
            unknown => {
                Err(syn::Error::new_spanned(&name, format!("unknown argument `{unknown}`; {}", hint(unknown, fields))))
            }
        }
    }

    fn parse_code(&mut self, input: ParseStream<'_>, fields: &Fields) -> syn::Result<()> {
        let code: LitInt = input.parse()?;
        if input.peek(Token![..]) || input.peek(Token![|]) {
            return Err(
                input.error("each has one status; where it varies, a field holds it: `#[status(field = status)]`")
            );
        }
        if let Ok(number @ 100..=999) = code.base10_parse() {
            return self.set(Source::Code(number), code.span());
        }
        let mut message = "an HTTP status has three digits, from 100 to 999".to_owned();
        if names(fields).any(|name| name == code.base10_digits()) {
            let _ = write!(message, "; to read it from the field: `#[status(field = {code})]`");
        }
        Err(syn::Error::new_spanned(code, message))
    }

    fn set(&mut self, source: Source, at: Span) -> syn::Result<()> {
        once(&mut self.source, source, at, "the status has a source already; keep one")
    }
}

/// What an unknown argument may have meant.
fn hint(unknown: &str, fields: &Fields) -> String {
    if names(fields).any(|name| name == unknown) {
        return format!("to read the field: `#[status(field = {unknown})]`");
    }
    if let Some(meant) = did_you_mean(unknown, &KNOWN) {
        return format!("did you mean `{meant}`?");
    }
    // `InvalidKey`, and not `NOT_FOUND`.
    if unknown.starts_with(char::is_uppercase) && unknown.contains(char::is_lowercase) {
        return format!("to give a reason: `reason = {unknown}`");
    }
    format!("expected {FORMS}")
}

fn once<T>(place: &mut Option<(T, Span)>, value: T, at: Span, twice: &str) -> syn::Result<()> {
    if place.is_some() {
        return Err(syn::Error::new(at, twice));
    }
    *place = Some((value, at));
    Ok(())
}

fn named_value<T: Parse>(input: ParseStream<'_>, name: &Ident, expected: &str) -> syn::Result<T> {
    if !input.peek(Token![=]) {
        return Err(syn::Error::new_spanned(name, format!("`{name}` takes {expected}")));
    }
    input.parse::<Token![=]>()?;
    T::parse(input).map_err(|error| syn::Error::new(error.span(), format!("`{name}` takes {expected}")))
}
