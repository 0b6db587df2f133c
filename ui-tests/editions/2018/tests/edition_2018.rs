//! `#[balanced]` under the rules of edition 2018.

include!("../../body.rs");
