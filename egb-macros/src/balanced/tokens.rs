//! Questions about types and expressions that their tokens answer.

use quote::ToTokens;
use syn::{Expr, ExprLit, Lit, Type};

/// Callers through `macro_rules!` wrap types in invisible groups.
pub(super) fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        other => other,
    }
}

/// The number, if it is written as one.
pub(super) fn literal(expr: &Expr) -> Option<u32> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => int.base10_parse().ok(),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

/// The type as its author would write it.
pub(super) fn show(ty: &Type) -> String {
    ty.to_token_stream().to_string().replace(" :: ", "::").replace(" < ", "<").replace(" >", ">").replace("& ", "&")
}
