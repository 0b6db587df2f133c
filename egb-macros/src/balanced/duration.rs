//! Durations in strings: `"250ms"`, `"1.5s"`, `"100ms..2s"`.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::{Expr, ExprLit, Lit, LitStr};

/// Nanoseconds in each unit.
const UNITS: [(&str, u64); 6] = [
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

const FORMS: &str = "a duration is a number and a unit (us, ms, s, min, h), as in \"250ms\" or \"5s\"";

/// The value of `wait` or `deadline`: a string is read here, other expressions are left to the compiler.
pub(super) fn limit(value: Expr, name: &str) -> syn::Result<Expr> {
    let Some(text) = text_of(&value, name)? else { return Ok(value) };
    let nanos = parse(&text.value()).map_err(|problem| syn::Error::new_spanned(&text, problem))?;
    if nanos == 0 {
        return Err(syn::Error::new_spanned(&text, format!("`{name}` is above 0; leave it out for none")));
    }
    Ok(Expr::Verbatim(duration(nanos, text.span())))
}

/// The value of `backoff`: the first pause and the longest, or one for both.
pub(super) fn backoff(value: Expr) -> syn::Result<Expr> {
    let Some(text) = text_of(&value, "backoff")? else { return Ok(value) };
    let written = text.value();
    let (first, longest) = written.split_once("..").unwrap_or((&written, &written));
    let read =
        |part: &str| parse(part.trim_start_matches('=')).map_err(|problem| syn::Error::new_spanned(&text, problem));
    let (first, longest) = (read(first)?, read(longest)?);
    if longest == 0 || first > longest {
        let message = "`backoff` goes from the first pause to the longest, as in \"100ms..2s\"";
        return Err(syn::Error::new_spanned(&text, message));
    }
    let (first, longest) = (duration(first, text.span()), duration(longest, text.span()));
    Ok(Expr::Verbatim(quote_spanned!(text.span()=> (#first)..(#longest))))
}

/// The string, if it is one; another literal is a mistake.
fn text_of(value: &Expr, name: &str) -> syn::Result<Option<LitStr>> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(Some(text.clone())),
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => {
            let message = format!("`{name}` needs a unit: \"{number}s\" or \"{number}ms\"");
            Err(syn::Error::new_spanned(number, message))
        }
        Expr::Lit(other) => Err(syn::Error::new_spanned(other, format!("`{name}`: {FORMS}"))),
        _ => Ok(None),
    }
}

fn duration(nanos: u64, span: Span) -> TokenStream {
    // A name of the user's can't stand in its way.
    quote_spanned!(span.resolved_at(Span::mixed_site())=> ::core::time::Duration::from_nanos(#nanos))
}

/// Nanoseconds; what is wrong otherwise.
fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let unit_at = text.find(|char: char| char.is_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let (number, unit) = (number.trim(), unit.trim());
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !is_number(whole) || !is_number(fraction) {
        return Err(format!("`{text}` is no duration; {FORMS}"));
    }
    let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        let problem = if unit.is_empty() { "has no unit".to_owned() } else { format!("has the unknown unit `{unit}`") };
        return Err(format!("`{text}` {problem}; {FORMS}"));
    };
    let too_long = || format!("`{text}` is longer than a `Duration` of nanoseconds can be");
    let whole: u64 = whole.parse().map_err(|_| too_long())?;
    let whole = whole.checked_mul(*nanos).ok_or_else(too_long)?;
    // Digits beyond the unit's nanoseconds say nothing.
    let (mut part, mut place) = (0, *nanos);
    for digit in fraction.bytes() {
        place /= 10;
        part += u64::from(digit - b'0') * place;
    }
    whole.checked_add(part).ok_or_else(too_long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let second = 1_000_000_000;
        let ms = 1_000_000;
        for (text, nanos) in [
            ("250ms", 250 * ms),
            ("5s", 5 * second),
            ("1.5s", 3 * second / 2),
            ("0.25 s", second / 4),
            ("2m", 120 * second),
            ("2min", 120 * second),
            ("1h", 3600 * second),
            ("30us", 30_000),
            ("0s", 0),
            (" 7 s ", 7 * second),
        ] {
            assert_eq!(parse(text), Ok(nanos), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_said_to_be_none() {
        for (text, problem) in [
            ("5", "has no unit"),
            ("", "is no duration"),
            ("s", "is no duration"),
            ("-5s", "is no duration"),
            ("1.s", "is no duration"),
            (".5s", "is no duration"),
            ("1e3s", "unknown unit `e3s`"),
            ("5 parsecs", "unknown unit `parsecs`"),
            ("99999999999999h", "is longer"),
            ("99999999999999999999h", "is longer"),
        ] {
            let said = parse(text).expect_err(text);
            assert!(said.contains(problem), "{text}: {said}");
        }
    }
}
