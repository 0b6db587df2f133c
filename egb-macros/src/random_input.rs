//! Whatever is written in the parentheses and below them, the macros answer with Rust: never a panic, which would be
//! shown to the user as "custom attribute panicked".

use proc_macro2::{TokenStream, TokenTree};
use proptest::prelude::*;

use crate::balanced::balanced;
use crate::derive::status_code;

/// What options are made of, and what they are not.
const OPTION_PIECES: [&str; 58] = [
    "keys",
    "balancer",
    "retries",
    "backoff",
    "hedge",
    "wait",
    "deadline",
    "scope",
    "affinity",
    "classify",
    "crate",
    "kyes",
    "=",
    "=",
    "=",
    ",",
    ",",
    ",",
    "1",
    "0",
    "-1",
    "3u8",
    "99999999999999999999",
    "1.5",
    "N",
    "Self::N",
    "\"5s\"",
    "\"100ms..2s\"",
    "\"2s..100ms\"",
    "\"soon\"",
    "\"\"",
    "\"gemini\"",
    "\"ключ\"",
    "self.pool",
    "self",
    "POOL",
    "crate::pool()",
    "::egb",
    "egb::x",
    "path::<T>",
    "|r| r",
    "{ 1 }",
    "(1, 2)",
    "[3]",
    "()",
    "true",
    "'a'",
    "'static",
    "b\"x\"",
    "..",
    "?",
    ";",
    "#",
    "fn",
    "async move {}",
    "key",
    "r#crate",
    "_",
];

/// What a function is made of.
const ITEM_PIECES: [&str; 60] = [
    "pub",
    "async",
    "const",
    "unsafe",
    "extern \"C\"",
    "fn",
    "f",
    "<T>",
    "<'a, T: 'a>",
    "<const N: usize>",
    "(",
    "()",
    "(key: Key)",
    "(&self, key: &Key)",
    "(mut self: Box<Self>, key: [Key; 2])",
    "(key: Key, a: &mut T)",
    "(key: impl Fn())",
    "(#[key] client: Client)",
    "(lease: Lease)",
    "(key: Key, lease: Lease)",
    "(key: &str, ...)",
    "(key: _, (a, b): (u8, T))",
    "(key: Vec<Key>, Some(x): Option<u8>)",
    "->",
    "-> Result<(), E>",
    "-> impl Future",
    "-> Result<T, E>",
    "-> io::Result<()>",
    "-> !",
    "-> Option<u8>",
    "-> impl Future<Output = Result<(), E>> + Send",
    "-> Pin<Box<dyn Future<Output = Result<(), E>> + 'a>>",
    "where T: Clone",
    "where Self: Sized",
    ";",
    "{}",
    "{ Ok(()) }",
    "{ let key = key; Ok(()) }",
    "{ return Err(e) }",
    "{ Box::pin(async move { Ok(()) }) }",
    "{ macro_call!(key) }",
    "#[balanced]",
    "#[cfg(any())]",
    "#[inline]",
    "/// words\n",
    "struct S;",
    "impl S",
    "trait T",
    "enum E { A }",
    "mod m {}",
    "static X: u8 = 1;",
    "macro_rules! m { () => {} }",
    "{ fn g() {} }",
    "use a::b;",
    "=",
    "'a",
    "{ key.clone(); async { Ok(()) } }",
    "default",
    "safe",
    "crate",
];

/// What a type with the derive is made of.
const TYPE_PIECES: [&str; 40] = [
    "pub",
    "enum",
    "struct",
    "union",
    "E",
    "<T>",
    "<'a>",
    "{",
    "}",
    "()",
    ";",
    "{ A }",
    "{ A(u16) }",
    ",",
    "{ #[status(429)] A, #[status(field = 0)] B(u16), C { status: u16 } }",
    "{ #[status(transparent)] A(#[from] X) }",
    "{ #[status(none)] A, #[status] B }",
    "{ #[status(429, 430)] A }",
    "{ #[status(field = missing)] A { b: u16 } }",
    "{ A { #[retry_after] wait: Duration } }",
    "{ A { #[retry_after] wait: Option<Duration>, #[source] e: X } }",
    "{ #[status(1000)] A }",
    "{ #[status(\"429\")] A }",
    "(#[retry_after] Duration, u16);",
    "#[status(429)]",
    "#[status(field = 0)]",
    "#[status(transparent)]",
    "#[status(none)]",
    "#[status(@404)]",
    "#[status()]",
    "#[status]",
    "#[retry_after]",
    "{ status: u16 }",
    "{ status: Option<u16>, #[retry_after] after: &'a str }",
    "(u16);",
    "(T);",
    "where T: StatusCode",
    "{}",
    "#[error(\"{0}\")]",
    "#[source]",
];

fn some_of(pieces: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(pieces), 0..most).prop_map(|pieces| pieces.join(" "))
}

/// `None` for what the compiler would refuse before any macro sees it: an open parenthesis.
fn tokens(text: &str) -> Option<TokenStream> {
    text.parse().ok()
}

fn is_rust(expansion: &TokenStream) -> Result<(), TestCaseError> {
    let parsed = syn::parse2::<syn::File>(expansion.clone());
    prop_assert!(parsed.is_ok(), "{:?}: {expansion}", parsed.err());
    Ok(())
}

const FUNCTION: &str =
    "async fn ask(&self, key: &Key, text: &str) -> Result<String, ApiError> { send(key, text).await }";

/// Whether the expansion of [`FUNCTION`] begins as its callers know it.
fn begins_with_the_function(expansion: TokenStream) -> bool {
    let known = tokens("async fn ask(&self, text: &str) -> Result<String, ApiError>").unwrap();
    let written = |token: TokenTree| token.to_string();
    expansion.into_iter().take(known.clone().into_iter().count()).map(written).eq(known.into_iter().map(written))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_options(options in some_of(&OPTION_PIECES, 14)) {
        if let Some(options) = tokens(&options) {
            // A value is put where it belongs as it was written, be it sense or not; but callers find their function.
            prop_assert!(begins_with_the_function(balanced(options, &tokens(FUNCTION).unwrap())));
        }
    }

    #[test]
    fn options_with_any_value(
        given in proptest::collection::vec((proptest::sample::select(&OPTION_PIECES[..12]), some_of(&OPTION_PIECES[12..], 4)), 0..5)
    ) {
        let options: Vec<String> = given.into_iter().map(|(name, value)| format!("{name} = {value}")).collect();
        if let Some(options) = tokens(&options.join(", ")) {
            let expansion = balanced(options, &tokens(FUNCTION).unwrap());
            is_rust(&expansion)?;
            prop_assert!(begins_with_the_function(expansion));
        }
    }

    /// What is no function is left to the compiler as it was, with one mistake told; it may be no Rust either.
    #[test]
    fn any_item(item in some_of(&ITEM_PIECES, 9)) {
        if let Some(item) = tokens(&item) {
            let expansion = balanced(TokenStream::new(), &item);
            if let Ok(function) = syn::parse2::<syn::ItemFn>(item) {
                is_rust(&expansion)?;
                let file: syn::File = syn::parse2(expansion).unwrap();
                prop_assert!(matches!(&file.items[0], syn::Item::Fn(expanded) if expanded.sig.ident == function.sig.ident));
            }
        }
    }

    #[test]
    fn any_type(item in some_of(&TYPE_PIECES, 8)) {
        if let Some(item) = tokens(&item) {
            is_rust(&status_code(item))?;
        }
    }
}
