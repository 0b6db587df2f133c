//! Lifetimes that only the key's type used: they go with it. `#[async_trait]` names every lifetime, and
//! one too many would make the method differ from its trait's.

use std::collections::HashSet;

use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{GenericParam, Lifetime, ReturnType, Signature, Type, TypeReference, WherePredicate};

/// Takes the lifetimes out of the signature that `key` names and nothing else does.
pub(crate) fn drop_lifetimes_of(key: &Type, sig: &mut Signature) {
    let mut of_key = Named::default();
    of_key.visit_type(key);
    let mut of_others = Named::default();
    sig.inputs.iter().for_each(|input| of_others.visit_fn_arg(input));
    if let ReturnType::Type(_, output) = &sig.output {
        of_others.visit_type(output);
    }
    of_key.0.retain(|lifetime| !of_others.0.contains(lifetime));
    let gone = of_key.0;
    if gone.is_empty() {
        return;
    }
    let generics = &mut sig.generics;
    let stays = |param: &GenericParam| match param {
        GenericParam::Lifetime(param) => !gone.contains(&param.lifetime),
        _ => true,
    };
    generics.params = std::mem::take(&mut generics.params).into_iter().filter(stays).collect();
    if let Some(clause) = &mut generics.where_clause {
        let stays = |predicate: &WherePredicate| match predicate {
            WherePredicate::Lifetime(predicate) => !gone.contains(&predicate.lifetime),
            _ => true,
        };
        clause.predicates = std::mem::take(&mut clause.predicates).into_iter().filter(stays).collect();
    }
}

/// The type without lifetimes on its references: the key lives as long as the attempt, no longer.
pub(crate) fn without_lifetimes(mut ty: Type) -> Type {
    Elide.visit_type_mut(&mut ty);
    ty
}

#[derive(Default)]
struct Named(HashSet<Lifetime>);

impl Visit<'_> for Named {
    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        self.0.insert(lifetime.clone());
        visit::visit_lifetime(self, lifetime);
    }
}

struct Elide;

impl VisitMut for Elide {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        reference.lifetime = None;
        visit_mut::visit_type_reference_mut(self, reference);
    }
}
