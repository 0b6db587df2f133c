//! Lifetimes that only the key's type used: they go with it. `#[async_trait]` names every lifetime, and
//! one too many would make the method differ from its trait's.

use std::collections::HashSet;
use std::mem;

use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::visit_mut::{self, VisitMut};
use syn::{
    GenericParam, Lifetime, LifetimeParam, PredicateLifetime, PredicateType, Signature, Token, Type, TypeParam,
    TypeParamBound, TypeReference, WherePredicate,
};

use crate::mistakes::Mistakes;

/// Takes the lifetimes out of the signature that `key` names and nothing else does.
pub(crate) fn drop_lifetimes_of(key: &Type, sig: &mut Signature) {
    let mut gone = named_in(|names| names.visit_type(key));
    let others = named_in(|names| {
        sig.inputs.iter().for_each(|input| names.visit_fn_arg(input));
        names.visit_return_type(&sig.output);
        sig.generics.params.iter().for_each(|param| names.visit_generic_param(param));
        sig.generics.where_clause.iter().for_each(|clause| names.visit_where_clause(clause));
    });
    gone.retain(|lifetime| !others.contains(lifetime));
    if gone.is_empty() {
        return;
    }
    let generics = &mut sig.generics;
    let stays = |param: &GenericParam| match param {
        GenericParam::Lifetime(param) => !gone.contains(&param.lifetime),
        _ => true,
    };
    generics.params = mem::take(&mut generics.params).into_iter().filter(stays).collect();
    if let Some(clause) = &mut generics.where_clause {
        let stays = |predicate: &WherePredicate| match predicate {
            WherePredicate::Lifetime(predicate) => !gone.contains(&predicate.lifetime),
            _ => true,
        };
        clause.predicates = mem::take(&mut clause.predicates).into_iter().filter(stays).collect();
    }
    Unbound(&gone).visit_generics_mut(generics);
}

/// False, and a mistake, when the return type borrows from the key, which nobody holds by then.
pub(crate) fn check_borrow_of_key(key: &Type, sig: &Signature, mistakes: &mut Mistakes) -> bool {
    let of_key = named_in(|names| names.visit_type(key));
    let of_others = named_in(|names| sig.inputs.iter().for_each(|input| names.visit_fn_arg(input)));
    let of_output = named_in(|names| names.visit_return_type(&sig.output));
    let is_of_key = |lifetime: &&Lifetime| of_key.contains(lifetime) && !of_others.contains(lifetime);
    let Some(lifetime) = of_output.iter().filter(|lifetime| lifetime.ident != "static").find(is_of_key) else {
        return true;
    };
    let message = format!(
        "`{lifetime}` is the key's, which goes back to its pool when the function returns; \
         return something that owns what it holds"
    );
    mistakes.at(lifetime, message);
    false
}

/// The type without lifetimes on its references: the key lives as long as the attempt, no longer.
pub(crate) fn without_lifetimes(mut ty: Type) -> Type {
    Elide.visit_type_mut(&mut ty);
    ty
}

fn named_in(look: impl FnOnce(&mut Named)) -> HashSet<Lifetime> {
    let mut names = Named::default();
    look(&mut names);
    names.0
}

/// Every lifetime that stands somewhere for its own sake: a plain bound (`'a: 'key`, `T: 'key`) can go with
/// the lifetime that it names.
#[derive(Default)]
struct Named(HashSet<Lifetime>);

impl Visit<'_> for Named {
    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        self.0.insert(lifetime.clone());
    }
    fn visit_lifetime_param(&mut self, _: &LifetimeParam) {}
    fn visit_predicate_lifetime(&mut self, _: &PredicateLifetime) {}
    fn visit_type_param(&mut self, param: &TypeParam) {
        param.bounds.iter().filter(|bound| !is_lifetime(bound)).for_each(|bound| self.visit_type_param_bound(bound));
    }
    fn visit_predicate_type(&mut self, predicate: &PredicateType) {
        self.visit_type(&predicate.bounded_ty);
        let bounds = predicate.bounds.iter().filter(|bound| !is_lifetime(bound));
        bounds.for_each(|bound| self.visit_type_param_bound(bound));
    }
}

fn is_lifetime(bound: &TypeParamBound) -> bool {
    matches!(bound, TypeParamBound::Lifetime(_))
}

/// Takes plain bounds by these lifetimes away.
struct Unbound<'a>(&'a HashSet<Lifetime>);

impl Unbound<'_> {
    fn types(&self, bounds: &mut Punctuated<TypeParamBound, Token![+]>) {
        let stays = |bound: &TypeParamBound| match bound {
            TypeParamBound::Lifetime(lifetime) => !self.0.contains(lifetime),
            _ => true,
        };
        *bounds = mem::take(bounds).into_iter().filter(stays).collect();
    }

    fn lifetimes(&self, bounds: &mut Punctuated<Lifetime, Token![+]>) {
        *bounds = mem::take(bounds).into_iter().filter(|lifetime| !self.0.contains(lifetime)).collect();
    }
}

impl VisitMut for Unbound<'_> {
    fn visit_lifetime_param_mut(&mut self, param: &mut LifetimeParam) {
        self.lifetimes(&mut param.bounds);
    }
    fn visit_predicate_lifetime_mut(&mut self, predicate: &mut PredicateLifetime) {
        self.lifetimes(&mut predicate.bounds);
    }
    fn visit_type_param_mut(&mut self, param: &mut TypeParam) {
        self.types(&mut param.bounds);
    }
    fn visit_predicate_type_mut(&mut self, predicate: &mut PredicateType) {
        self.types(&mut predicate.bounds);
    }
}

struct Elide;

impl VisitMut for Elide {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        reference.lifetime = None;
        visit_mut::visit_type_reference_mut(self, reference);
    }
}
