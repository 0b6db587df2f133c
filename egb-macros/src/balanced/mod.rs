//! `#[balanced]`: options and function in, a function of the same name without its key parameter out.

use proc_macro2::TokenStream;
use quote::quote;

use self::function::Function;
use self::model::Model;
use self::options::Options;
use crate::mistakes::Mistakes;

mod arguments;
mod duration;
mod expand;
mod function;
mod generics;
mod key;
mod model;
mod options;
mod output;
mod pattern;
mod shape;

pub(crate) fn balanced(options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let options = Options::parse(options, &mut mistakes);
    let function = match Function::parse(item.clone()) {
        Ok(function) => function,
        Err(mistake) => {
            // Whatever it is, it stays usable.
            mistakes.add(mistake);
            let mistakes = mistakes.into_tokens();
            return quote!(#item #mistakes);
        }
    };
    match Model::check(function, options, &mut mistakes) {
        Ok(model) => {
            let expanded = expand::expand(&model);
            let mistakes = mistakes.into_tokens();
            quote!(#expanded #mistakes)
        }
        Err(fallback) => {
            let mistakes = mistakes.into_tokens();
            quote!(#fallback #mistakes)
        }
    }
}
