//! What the function returns: a `Result` under some name, or plainly something else.

use quote::quote;
use syn::visit_mut::{self, VisitMut};
use syn::{GenericArgument, PathArguments, ReturnType, Signature, Type, TypeParamBound};

use super::shape::Shape;
use crate::mistakes::Mistakes;
use crate::tokens::{peel, show};

/// What an attempt returns, with `_` for each `impl Trait`. `None`, and a mistake, when no expansion could
/// make sense of it.
pub(super) fn output_of(sig: &Signature, shape: &Shape, mistakes: &mut Mistakes) -> Option<Type> {
    let ReturnType::Type(_, written) = &sig.output else {
        let message = "a balanced function returns a `Result`: egb learns from it how the call went; \
                       add `-> Result<.., E>`";
        mistakes.at(&sig.ident, message);
        return None;
    };
    let mut ty = (**written).clone();
    if let Shape::Boxed { .. } = shape {
        let Some(output) = future_output(&ty) else {
            let message = "`#[balanced]` can't see what this future returns; write `async fn name(..) -> Result<..>`";
            mistakes.at(&ty, message);
            return None;
        };
        ty = output;
    } else if is_impl_future(&ty) || future_output(&ty).is_some() {
        let message = "`#[balanced]` must see the `await`: write `async fn name(..) -> Result<..>` \
                       in place of a function that returns a future";
        mistakes.at(&ty, message);
        return None;
    }
    if is_no_result(&ty) {
        let ok = match peel(&ty) {
            Type::Never(_) => "std::convert::Infallible".to_owned(),
            ty => show(ty),
        };
        let message = format!(
            "a balanced function returns a `Result`, from which egb learns how the call went; \
                               write `Result<{ok}, E>`"
        );
        mistakes.at(&ty, message);
        return None;
    }
    Opaque.visit_type_mut(&mut ty);
    Some(ty)
}

/// Whether the type is plainly something else; any other name may be an alias of a `Result`.
fn is_no_result(ty: &Type) -> bool {
    const OTHERS: [&str; 19] = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
        "usize", "Option", "String", "Vec",
    ];
    match peel(ty) {
        Type::Path(path) if path.qself.is_none() => {
            path.path.segments.last().is_some_and(|last| OTHERS.iter().any(|other| last.ident == other))
        }
        Type::Path(_) | Type::Macro(_) | Type::Infer(_) | Type::Verbatim(_) => false,
        _ => true,
    }
}

fn is_impl_future(ty: &Type) -> bool {
    let Type::ImplTrait(opaque) = peel(ty) else { return false };
    opaque.bounds.iter().any(|bound| {
        matches!(bound, TypeParamBound::Trait(bound)
            if bound.path.segments.last().is_some_and(|last| last.ident == "Future"))
    })
}

/// The `T` of `Pin<Box<dyn Future<Output = T> + ..>>` and of the aliases of it in the crate `futures`.
fn future_output(ty: &Type) -> Option<Type> {
    match peel(ty) {
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
            let is_alias = last.ident == "BoxFuture" || last.ident == "LocalBoxFuture";
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(ty) if is_alias => Some(ty.clone()),
                GenericArgument::Type(ty) => future_output(ty),
                _ => None,
            })
        }
        Type::TraitObject(object) => object.bounds.iter().find_map(|bound| {
            let TypeParamBound::Trait(bound) = bound else { return None };
            let PathArguments::AngleBracketed(arguments) = &bound.path.segments.last()?.arguments else { return None };
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::AssocType(output) if output.ident == "Output" => Some(output.ty.clone()),
                _ => None,
            })
        }),
        _ => None,
    }
}

/// Replaces `impl Trait`, which can't stand in a body, with `_`.
struct Opaque;

impl VisitMut for Opaque {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if matches!(ty, Type::ImplTrait(_)) {
            *ty = Type::Verbatim(quote!(_));
            return;
        }
        visit_mut::visit_type_mut(self, ty);
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn what_is_plainly_no_result_is_told_from_what_may_be_one() {
        for ty in [
            "bool",
            "char",
            "f32",
            "f64",
            "i8",
            "i16",
            "i32",
            "i64",
            "i128",
            "isize",
            "u8",
            "u16",
            "u32",
            "u64",
            "u128",
            "usize",
            "String",
            "Option<u8>",
            "std::vec::Vec<u8>",
            "()",
            "!",
            "(u8, u8)",
            "&str",
            "[u8; 2]",
            "*const u8",
            "fn() -> u8",
            "impl Display",
            "dyn Display",
            "(Option<u8>)",
        ] {
            assert!(is_no_result(&syn::parse_str(ty).unwrap()), "{ty}");
        }
        for ty in ["Result<u8, E>", "io::Result<()>", "Answer", "<T as Api>::Option", "answer!(u8)", "Self::Bool", "_"]
        {
            assert!(!is_no_result(&syn::parse_str(ty).unwrap()), "{ty}");
        }
    }

    #[test]
    fn the_output_of_a_future_is_found_in_its_box() {
        let found = |ty: &str| future_output(&syn::parse_str(ty).unwrap()).map(|ty| show(&ty).replace(" ,", ","));
        for ty in [
            "Pin<Box<dyn Future<Output = Result<(), E>> + Send + 'a>>",
            "::core::pin::Pin<Box<dyn 'a + ::core::future::Future<Output = Result<(), E>>>>",
            "BoxFuture<'a, Result<(), E>>",
            "futures::future::LocalBoxFuture<'static, Result<(), E>>",
        ] {
            assert_eq!(found(ty).as_deref(), Some("Result<(), E>"), "{ty}");
        }
        for ty in
            ["Answer", "Result<(), E>", "Pin<Box<dyn Stream<Item = Result<(), E>>>>", "Box<dyn Display>", "(u8, u8)"]
        {
            assert_eq!(found(ty), None, "{ty}");
        }
        assert!(is_impl_future(&parse_quote!(impl Send + std::future::Future<Output = u8>)));
        assert!(!is_impl_future(&parse_quote!(impl Stream<Item = u8>)));
    }
}
