//! `#[balanced(..)]` with any options, above a function; and above anything: the first line is the options, the rest
//! the item. The derive gets the item as well.
#![no_main]
#![allow(dead_code, unused_imports)]

use libfuzzer_sys::fuzz_target;
use proc_macro2::TokenStream;

#[path = "../../../egb-macros/src/balanced/mod.rs"]
mod balanced;
#[path = "../../../egb-macros/src/derive/mod.rs"]
mod derive;
#[path = "../../../egb-macros/src/mistakes.rs"]
mod mistakes;
#[path = "../../../egb-macros/src/tokens.rs"]
mod tokens;

const FUNCTION: &str = "async fn ask(&self, key: &Key, text: &str) -> Result<String, E> { send(key, text).await }";

fuzz_target!(|text: &str| {
    let (options, item) = text.split_once('\n').unwrap_or((text, FUNCTION));
    let (Ok(options), Ok(item)) = (options.parse::<TokenStream>(), item.parse::<TokenStream>()) else { return };
    let _ = balanced::balanced(options.clone(), &FUNCTION.parse().expect("it is Rust"));
    let _ = balanced::balanced(options, &item);
    let _ = derive::status_code(item);
});
