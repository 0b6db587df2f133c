//! The options in the parentheses of `#[balanced(..)]`.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, ExprLit, ExprPath, Ident, Lit, LitStr, Path, Token};

use super::duration;
use crate::mistakes::{Mistakes, did_you_mean};
use crate::tokens::{absolute, literal, mentions, peel_expr};

/// Every option, in the order of the documentation.
const KNOWN: [&str; 11] =
    ["keys", "balancer", "retries", "backoff", "hedge", "wait", "deadline", "scope", "affinity", "classify", "crate"];

/// The options as given; `None` is the default.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) keys: Option<Expr>,
    pub(crate) balancer: Option<Balancer>,
    pub(crate) retries: Option<Expr>,
    pub(crate) backoff: Option<Expr>,
    pub(crate) hedge: Option<Expr>,
    pub(crate) wait: Option<Expr>,
    pub(crate) deadline: Option<Expr>,
    pub(crate) scope: Option<Expr>,
    pub(crate) affinity: Option<Expr>,
    pub(crate) classify: Option<ExprPath>,
    pub(crate) krate: Option<Path>,
    /// Those that were named, rightly or not.
    named: Vec<Ident>,
}

impl Options {
    /// Whether there can be a second attempt.
    pub(crate) fn retries(&self) -> bool {
        self.retries.as_ref().is_some_and(|retries| literal(retries) != Some(0))
    }

    /// Whether the body may run more than once.
    pub(crate) fn repeats(&self) -> bool {
        self.retries() || self.hedge.is_some()
    }

    /// Whether `keys` was given a value that it can't have.
    pub(crate) fn keys_are_wrong(&self) -> bool {
        self.keys.is_none() && self.names("keys").is_some()
    }

    /// `::egb::__private`
    pub(crate) fn private(&self) -> TokenStream {
        self.krate.as_ref().map_or_else(|| quote!(::egb::__private), |path| quote!(#path::__private))
    }

    /// Whether an option reads this name.
    pub(crate) fn mention(&self, name: &Ident) -> bool {
        let borrowed = [&self.scope, &self.affinity].into_iter().flatten();
        let given = matches!(&self.balancer, Some(Balancer::Given(balancer)) if reads(balancer, name));
        given || borrowed.into_iter().any(|value| reads(value, name)) || self.measure_with(name)
    }

    /// Whether a number or a duration is computed from this name.
    pub(crate) fn measure_with(&self, name: &Ident) -> bool {
        let measures = [&self.keys, &self.retries, &self.backoff, &self.hedge, &self.wait, &self.deadline];
        measures.into_iter().flatten().any(|measure| reads(measure, name))
    }

    /// Whether an option was named, with a value that it can have or not.
    pub(crate) fn names(&self, name: &str) -> Option<&Ident> {
        self.named.iter().find(|named| *named == name)
    }

    /// Options that say nothing without others.
    pub(crate) fn check_together(&self, is_async: bool, mistakes: &mut Mistakes) {
        if let Some(backoff) = self.names("backoff")
            && self.names("retries").is_none()
        {
            mistakes.at(backoff, "`backoff` is the pause before a retry, and there is none; add `retries = 2`");
        }
        if let Some(hedge) = self.names("hedge")
            && !is_async
        {
            let message = "`hedge` starts a second attempt while the first one runs, which a sync function can't; \
                           make it an `async fn`, or drop `hedge`";
            mistakes.at(hedge, message);
        }
        if let Some(deadline) = self.names("deadline")
            && !is_async
            && self.names("retries").is_none()
            && self.names("wait").is_none()
        {
            let message = "nothing can stop the body of a sync function, so that `deadline` bounds its waits and \
                           retries, and it has neither; make it an `async fn`, or give the client a timeout";
            mistakes.at(deadline, message);
        }
    }
}

fn reads(value: &Expr, name: &Ident) -> bool {
    mentions(value.to_token_stream(), &|ident| ident == name)
}

/// Where the balancer comes from, if it is not the global one.
pub(crate) enum Balancer {
    /// Registered under a name.
    Named(LitStr),
    /// Any expression that is, or dereferences to, a `Balancer`.
    Given(Expr),
}

impl Options {
    /// Reads what can be read; each mistake leaves its option at the default.
    pub(crate) fn parse(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut options = Self::default();
        let parse = |input: ParseStream<'_>| {
            while !input.is_empty() {
                options.parse_one(input, mistakes)?;
                if !input.is_empty() && !input.peek(Token![,]) {
                    mistakes.add(input.error("expected `,`"));
                    if !input.peek(Ident::peek_any) {
                        up_to_comma(input)?;
                    }
                }
                input.parse::<Option<Token![,]>>()?;
            }
            Ok(())
        };
        let parsed = parse.parse2(tokens);
        mistakes.take(parsed);
        options
    }

    /// `Err` only when the rest can't be read.
    fn parse_one(&mut self, input: ParseStream<'_>, mistakes: &mut Mistakes) -> syn::Result<()> {
        if !input.peek(Ident::peek_any) {
            let span = input.span();
            let meant = match input.parse::<Lit>() {
                Ok(Lit::Str(name)) => format!("did you mean `balancer = {}`?", name.token()),
                Ok(Lit::Int(count)) => format!("did you mean `keys = {count}`?"),
                _ => format!("there are `{}`", KNOWN.join("`, `")),
            };
            return Err(syn::Error::new(span, format!("expected an option and its value, as in `keys = 2`; {meant}")));
        }
        let name = input.call(Ident::parse_any)?;
        let known = KNOWN.iter().find(|known| name == **known);
        if known.is_none() {
            mistakes.at(&name, unknown(&name.to_string()));
        }
        if !input.peek(Token![=]) {
            if known.is_some() {
                mistakes.at(&name, format!("`{name}` needs a value: {}", example(&name.to_string())));
            }
            // `name(..)` or a bare name.
            up_to_comma(input)?;
            return Ok(());
        }
        input.parse::<Token![=]>()?;
        if input.is_empty() || input.peek(Token![,]) {
            mistakes.at(&name, format!("`{name}` needs a value: {}", example(&name.to_string())));
            return Ok(());
        }
        if let Err(mistake) = input.fork().parse::<Expr>() {
            let message = format!("`{name}` needs a whole value: {} ({mistake})", example(&name.to_string()));
            mistakes.at(&up_to_comma(input)?, message);
            self.named.push(name);
            return Ok(());
        }
        let value = peel_expr(input.parse()?);
        if self.named.contains(&name) {
            mistakes.at(&name, format!("`{name}` is given twice; keep one"));
            return Ok(());
        }
        self.named.push(name.clone());
        match known {
            Some(&"keys") => self.keys = mistakes.take(count(value, &name, 1)),
            Some(&"retries") => self.retries = mistakes.take(count(value, &name, 0)),
            Some(&"backoff") => self.backoff = mistakes.take(duration::backoff(value)),
            Some(&"hedge") => self.hedge = mistakes.take(duration::limit(value, "hedge")),
            Some(&"wait") => self.wait = mistakes.take(duration::limit(value, "wait")),
            Some(&"deadline") => self.deadline = mistakes.take(duration::limit(value, "deadline")),
            Some(&"scope") => self.scope = mistakes.take(scope(value)),
            Some(&"affinity") => self.affinity = mistakes.take(affinity(value)),
            Some(&"balancer") => self.balancer = mistakes.take(balancer(value)),
            Some(&"classify") => self.classify = mistakes.take(path(value, &name)),
            Some(&"crate") => self.krate = mistakes.take(path(value, &name).and_then(|path| absolute(path.path))),
            _ => {}
        }
        Ok(())
    }
}

/// The rest of an option that can't be read.
fn up_to_comma(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        tokens.extend([input.parse::<TokenTree>()?]);
    }
    Ok(tokens)
}

fn unknown(name: &str) -> String {
    let known = KNOWN.join("`, `");
    match did_you_mean(name, &KNOWN) {
        Some(meant) => format!("unknown option `{name}`; did you mean `{meant}`?"),
        None => format!("unknown option `{name}`; there are `{known}`"),
    }
}

fn example(name: &str) -> &'static str {
    match name {
        "keys" => "`keys = 2`",
        "retries" => "`retries = 3`",
        "balancer" => "`balancer = \"name\"` or `balancer = self.pool`",
        "backoff" => "`backoff = \"100ms..2s\"`",
        "hedge" => "`hedge = \"800ms\"`",
        "wait" => "`wait = \"5s\"`",
        "deadline" => "`deadline = \"30s\"`",
        "scope" => "`scope = \"model\"` or `scope = self.model`",
        "affinity" => "`affinity = session_id`",
        "classify" => "`classify = path::to::function`",
        _ => "`crate = ::path::to::egb`",
    }
}

/// A whole number; other expressions are left to the compiler.
fn count(value: Expr, name: &Ident, least: u32) -> syn::Result<Expr> {
    if let Expr::Lit(ExprLit { lit, .. }) = &value {
        let number = match lit {
            Lit::Int(int) => int.base10_parse::<u32>().ok(),
            _ => None,
        };
        match number {
            Some(number) if number >= least => {}
            Some(_) => return Err(syn::Error::new_spanned(&value, format!("`{name}` is at least {least}"))),
            None => {
                let message = format!("`{name}` is a whole number from {least}: {}", example(&name.to_string()));
                return Err(syn::Error::new_spanned(&value, message));
            }
        }
    }
    if let Expr::Unary(negative) = &value
        && matches!(negative.op, syn::UnOp::Neg(_))
    {
        return Err(syn::Error::new_spanned(&value, format!("`{name}` is at least {least}")));
    }
    Ok(value)
}

fn balancer(value: Expr) -> syn::Result<Balancer> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) if name.value().is_empty() => {
            Err(syn::Error::new_spanned(name, "the name is empty; leave `balancer` out for the global balancer"))
        }
        Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) => Ok(Balancer::Named(name)),
        other => Ok(Balancer::Given(other)),
    }
}

fn scope(value: Expr) -> syn::Result<Expr> {
    match &value {
        Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) if !name.value().is_empty() => Ok(value),
        Expr::Lit(_) => {
            let message = "`scope` is the name of a model or an endpoint: `scope = \"model\"` or `scope = self.model`";
            Err(syn::Error::new_spanned(value, message))
        }
        _ => Ok(value),
    }
}

fn affinity(value: Expr) -> syn::Result<Expr> {
    match value {
        Expr::Lit(constant) => {
            let message = "this would be one session, and all calls would go to one key; \
                           give what tells sessions apart: `affinity = session_id`";
            Err(syn::Error::new_spanned(constant, message))
        }
        other => Ok(other),
    }
}

fn path(value: Expr, name: &Ident) -> syn::Result<ExprPath> {
    match value {
        Expr::Path(path) => Ok(path),
        other => {
            let message = format!("`{name}` takes a path: {}", example(&name.to_string()));
            Err(syn::Error::new_spanned(other, message))
        }
    }
}
