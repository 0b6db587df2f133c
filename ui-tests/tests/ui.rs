//! Every file of `pass/` compiles and runs; every file of `fail/` fails with the messages beside it.
//!
//! `TRYBUILD=overwrite cargo test -p egb-ui-tests` writes the messages anew; read the difference.

#[test]
fn what_is_accepted() {
    trybuild::TestCases::new().pass("pass/*/*.rs");
}

/// The compiler's own words around ours differ between versions: these are of `rust-version`.
#[rustversion::attr(not(stable(1.95)), ignore = "messages are those of Rust 1.95")]
#[test]
fn what_is_refused_and_how() {
    trybuild::TestCases::new().compile_fail("fail/*/*.rs");
}
