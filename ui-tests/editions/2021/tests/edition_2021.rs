//! `#[balanced]` under the rules of edition 2021.

include!("../../body.rs");
