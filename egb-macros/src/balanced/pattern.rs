//! A second, borrowing look into a pattern of the arguments: `balancer = state.pool` under
//! `State(state): State<App>` is read before the body takes the argument apart.

use std::collections::HashSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{FieldPat, Pat, PatIdent, PatWild, Token};

/// The pattern with only those names that `expression` mentions, to be matched against a reference.
/// `None` when it mentions none of them.
pub(super) fn borrowing(pattern: &Pat, expression: TokenStream) -> Option<Pat> {
    let mut mentioned = HashSet::new();
    collect_idents(expression, &mut mentioned);
    let mut bound = Bound { mentioned: &mentioned, found: false };
    bound.visit_pat(pattern);
    if !bound.found {
        return None;
    }
    let mut pattern = pattern.clone();
    Borrow { mentioned: &mentioned }.visit_pat_mut(&mut pattern);
    Some(pattern)
}

fn collect_idents(tokens: TokenStream, idents: &mut HashSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => drop(idents.insert(ident.to_string())),
            TokenTree::Group(group) => collect_idents(group.stream(), idents),
            _ => {}
        }
    }
}

struct Bound<'a> {
    mentioned: &'a HashSet<String>,
    found: bool,
}

impl Visit<'_> for Bound<'_> {
    fn visit_pat_ident(&mut self, pattern: &PatIdent) {
        self.found |= self.mentioned.contains(&pattern.ident.to_string());
        visit::visit_pat_ident(self, pattern);
    }
}

struct Borrow<'a> {
    mentioned: &'a HashSet<String>,
}

impl VisitMut for Borrow<'_> {
    fn visit_pat_mut(&mut self, pattern: &mut Pat) {
        match pattern {
            // Matched through a reference, all of it binds by reference.
            Pat::Reference(reference) => {
                let inner = (*reference.pat).clone();
                *pattern = inner;
                self.visit_pat_mut(pattern);
            }
            Pat::Ident(ident) if self.mentioned.contains(&ident.ident.to_string()) => {
                ident.by_ref = None;
                ident.mutability = None;
                visit_mut::visit_pat_ident_mut(self, ident);
            }
            Pat::Ident(ident) => {
                *pattern = match ident.subpat.take() {
                    Some((_, inner)) => *inner,
                    None => Pat::Wild(PatWild { attrs: Vec::new(), underscore_token: <Token![_]>::default() }),
                };
            }
            _ => visit_mut::visit_pat_mut(self, pattern),
        }
    }

    fn visit_field_pat_mut(&mut self, field: &mut FieldPat) {
        self.visit_pat_mut(&mut field.pat);
        // `Struct { pool }` stays short; `Struct { size }` became `Struct { size: _ }`.
        if !matches!(*field.pat, Pat::Ident(_)) {
            field.colon_token.get_or_insert_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use quote::{ToTokens, quote};
    use syn::parse::Parser;

    use super::*;

    #[test]
    fn only_what_the_expression_reads_is_bound_and_by_reference() {
        for (pattern, expression, bound) in [
            (quote!(State(app)), quote!(app.pool), quote!(State(app))),
            (quote!(State(mut app)), quote!(&app.pool), quote!(State(app))),
            (quote!((ref pool, ref mut size)), quote!(pool), quote!((pool, _))),
            (quote!(App { pool, size, .. }), quote!(pool), quote!(App { pool, size: _, .. })),
            (quote!(App { pool: inner, mut size }), quote!(inner), quote!(App { pool: inner, size: _ })),
            (quote!(&App { ref pool, .. }), quote!(f(pool)), quote!(App { pool, .. })),
            (quote!(&(&a, b)), quote!({ a }), quote!((a, _))),
            (quote!(whole @ (first, _)), quote!(first), quote!((first, _))),
            (quote!(whole @ (first, second)), quote!(whole[0]), quote!(whole @ (_, _))),
            (quote!([first, rest @ ..]), quote!(rest.len()), quote!([_, rest @ ..])),
        ] {
            let parsed = Pat::parse_single.parse2(pattern.clone()).unwrap();
            let borrowed = borrowing(&parsed, expression).unwrap();
            assert_eq!(borrowed.to_token_stream().to_string(), bound.to_string(), "{pattern}");
        }
        let unread = Pat::parse_single.parse2(quote!(App { pool, .. })).unwrap();
        assert!(borrowing(&unread, quote!(self.pools)).is_none());
    }
}
