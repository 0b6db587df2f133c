//! `#[status(..)]` as written.

use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, Index, LitInt, Member, Meta, Path, Token};

use crate::mistakes::{Mistakes, did_you_mean};
use crate::tokens::absolute;

const KNOWN: [&str; 5] = ["field", "transparent", "none", "reason", "crate"];
const FORMS: &str = "`#[status(429)]`, `#[status(field = status)]`, `#[status(transparent)]` or `#[status(none)]`";

/// Where a variant's status comes from.
#[derive(Clone)]
pub(super) enum Source {
    /// Always this one.
    Code(LitInt),
    /// A field holds it.
    Field(Member),
    /// The wrapped error knows.
    Transparent(Ident),
    /// It has none.
    None,
}

/// Everything that the `#[status(..)]` of one variant says.
#[derive(Default)]
pub(super) struct StatusAttr {
    pub(super) source: Option<Source>,
    pub(super) reason: Option<Ident>,
    pub(super) krate: Option<Path>,
    /// Part of it could not be read, which must not be reported as missing too.
    is_broken: bool,
}

impl StatusAttr {
    /// Reads all `#[status(..)]` among the attributes. `None` when there is none.
    pub(super) fn of(attrs: &[Attribute], mistakes: &mut Mistakes) -> Option<Self> {
        let mut found: Option<Self> = None;
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("status")) {
            let status = found.get_or_insert_default();
            let parsed = match &attr.meta {
                Meta::List(list) if !list.tokens.is_empty() => {
                    attr.parse_args_with(|input: ParseStream<'_>| status.parse(input))
                }
                _ => Err(syn::Error::new_spanned(attr, format!("say where the status comes from: {FORMS}"))),
            };
            if let Err(mistake) = parsed {
                status.is_broken = true;
                mistakes.add(mistake);
            }
        }
        found
    }

    /// Whether nothing was said of where the status comes from.
    pub(super) fn is_missing(&self) -> bool {
        self.source.is_none() && !self.is_broken
    }

    fn parse(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        while !input.is_empty() {
            self.parse_one(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }

    fn parse_one(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        if input.peek(LitInt) {
            let code: LitInt = input.parse()?;
            if !code.base10_parse::<u16>().is_ok_and(|code| (100..=999).contains(&code)) {
                return Err(syn::Error::new_spanned(code, "an HTTP status has three digits, from 100 to 999"));
            }
            return self.set(Source::Code(code.clone()), &code);
        }
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format!("expected {FORMS}")));
        }
        let name = input.call(Ident::parse_any)?;
        match name.to_string().as_str() {
            "transparent" => self.set(Source::Transparent(name.clone()), &name),
            "none" => self.set(Source::None, &name),
            "field" => {
                let member = named_value(input, &name, "the name or number of a field: `field = status`")?;
                self.set(Source::Field(member), &name)
            }
            "reason" => {
                if self.reason.is_some() {
                    return Err(syn::Error::new_spanned(name, "the reason is given twice; keep one"));
                }
                self.reason = Some(named_value(input, &name, "a variant of `egb::Reason`: `reason = InvalidKey`")?);
                Ok(())
            }
            "crate" => {
                let path = named_value(input, &name, "a path: `crate = ::path::to::egb`")?;
                self.krate = Some(absolute(path)?);
                Ok(())
            }
            unknown => {
                let message = match did_you_mean(unknown, &KNOWN) {
                    Some(meant) => format!("unknown argument `{unknown}`; did you mean `{meant}`?"),
                    None => format!("unknown argument `{unknown}`; expected {FORMS}"),
                };
                Err(syn::Error::new_spanned(name, message))
            }
        }
    }

    fn set(&mut self, source: Source, at: &impl quote::ToTokens) -> syn::Result<()> {
        if self.source.is_some() {
            return Err(syn::Error::new_spanned(at, "the status has a source already; keep one"));
        }
        self.source = Some(source);
        Ok(())
    }
}

fn named_value<T: Parse>(input: ParseStream<'_>, name: &Ident, expected: &str) -> syn::Result<T> {
    if !input.peek(Token![=]) {
        return Err(syn::Error::new_spanned(name, format!("`{name}` takes {expected}")));
    }
    input.parse::<Token![=]>()?;
    T::parse(input).map_err(|error| syn::Error::new(error.span(), format!("`{name}` takes {expected}")))
}

/// The member as written in a pattern.
pub(super) fn member(position: usize, ident: Option<&Ident>) -> Member {
    match ident {
        Some(ident) => Member::Named(ident.clone()),
        None => Member::Unnamed(Index::from(position)),
    }
}
