//! `#[derive(StatusCode)]`: a type and its `#[status(..)]` attributes in, an impl of `egb::StatusCode` out.

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use self::model::Model;
use crate::mistakes::Mistakes;

mod attr;
mod expand;
mod fields;
mod model;

pub(crate) fn status_code(item: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(mistake) => return mistake.into_compile_error(),
    };
    let mut mistakes = Mistakes::default();
    let model = Model::check(&input, &mut mistakes);
    if mistakes.is_empty() {
        return expand::expand(&model);
    }
    // An impl all the same, so that those who use the type have no mistake to hear of.
    let (fallback, mistakes) = (expand::fallback(&model), mistakes.into_tokens());
    quote!(#fallback #mistakes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(item: &TokenStream) -> String {
        status_code(item.clone()).to_string()
    }

    #[test]
    fn what_a_type_never_says_is_left_to_the_trait() {
        let methods = |item: TokenStream| {
            let expanded = expanded(&item);
            ["fn status_code", "fn retry_after", "fn reason"].map(|method| expanded.contains(method))
        };
        assert_eq!(
            methods(quote!(
                #[status(404)]
                struct E;
            )),
            [true, false, false]
        );
        assert_eq!(
            methods(quote!(
                #[status(404)]
                struct E(#[retry_after] Duration);
            )),
            [true, true, false]
        );
        assert_eq!(
            methods(quote!(
                #[status(404, reason = Model)]
                struct E;
            )),
            [true, false, true]
        );
        assert_eq!(
            methods(quote!(
                #[status(transparent)]
                struct E(io::Error);
            )),
            [true, true, true]
        );
    }

    #[test]
    fn only_a_generic_type_gets_bounds() {
        assert!(
            !expanded(&quote!(
                #[status(field = 0)]
                struct E(u16);
            ))
            .contains("where")
        );
        assert!(
            expanded(&quote!(
                #[status(field = 0)]
                struct E<T>(T);
            ))
            .contains("where T : :: egb")
        );
    }
}
