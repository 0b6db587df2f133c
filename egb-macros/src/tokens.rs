//! Questions about types and expressions that their tokens answer.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Expr, ExprLit, Lit, Path, Type};

/// Callers through `macro_rules!` wrap types in invisible groups.
pub(crate) fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        other => other,
    }
}

/// As [`peel`], for the `$name:expr` and `$name:literal` of a `macro_rules!`.
pub(crate) fn peel_expr(expr: Expr) -> Expr {
    match expr {
        Expr::Group(group) => peel_expr(*group.expr),
        other => other,
    }
}

/// The number, if it is written as one.
pub(crate) fn literal(expr: &Expr) -> Option<u32> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => int.base10_parse().ok(),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

/// Whether one of these names stands among the tokens, however deep.
pub(crate) fn mentions(tokens: TokenStream, is_wanted: &impl Fn(&Ident) -> bool) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => is_wanted(&ident),
        TokenTree::Group(group) => mentions(group.stream(), is_wanted),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// The type as its author would write it.
pub(crate) fn show(ty: &Type) -> String {
    ty.to_token_stream().to_string().replace(" :: ", "::").replace(" < ", "<").replace(" >", ">").replace("& ", "&")
}

/// A path that means the same wherever the function stands.
pub(crate) fn absolute(path: Path) -> syn::Result<Path> {
    let first = path.segments.first().map(|segment| segment.ident.to_string());
    if path.leading_colon.is_some() || matches!(first.as_deref(), Some("crate" | "$crate")) {
        return Ok(path);
    }
    let shown = path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>().join("::");
    let message = format!("a relative path means another thing in each module; write `::{shown}` or `crate::{shown}`");
    Err(syn::Error::new_spanned(path, message))
}
