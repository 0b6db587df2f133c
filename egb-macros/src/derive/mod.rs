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
