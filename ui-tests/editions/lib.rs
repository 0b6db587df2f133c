//! Empty: the packages of `editions/` hold one test each, which compiles `body.rs` under their edition.
