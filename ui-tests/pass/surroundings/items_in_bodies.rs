#![deny(warnings, clippy::all, clippy::pedantic, clippy::nursery, unused, unused_qualifications, unused_lifetimes)]
#![deny(single_use_lifetimes, unit_bindings, unused_results, let_underscore_drop, trivial_casts)]
#![forbid(unsafe_code)]
//! Bodies that begin with items, or are one expression on one line, in a crate that denies everything.

use egb::{Balancer, Error, Key, StatusCode, balanced};

/// An error with a past.
#[derive(Debug, thiserror::Error, StatusCode)]
pub enum ApiError {
    /// By status.
    #[error("status {0}")]
    #[status(field = 0)]
    Status(u16),
    /// No longer made.
    #[deprecated]
    #[error("old")]
    #[status(429, reason = RateLimited)]
    Old(#[retry_after] std::time::Duration),
    /// No key.
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] Error),
}

/// Items first.
///
/// # Errors
///
/// By its text.
#[balanced(retries = 2, balancer = pool)]
pub fn items_first(key: &Key, pool: &Balancer, text: &str, mut count: usize) -> Result<usize, ApiError> {
    use std::fmt::Write as _;
    const ONE: usize = 1;
    const fn two() -> usize {
        2
    }
    count += ONE + two();
    let mut written = String::new();
    write!(written, "{text}").map_err(|_| ApiError::Status(500))?;
    Ok(count + written.len() + key.expose_secret().len())
}

/// One expression.
///
/// # Errors
///
/// When there is no key.
#[rustfmt::skip]
#[balanced(balancer = pool)]
pub fn one_line(key: &str, pool: &Balancer, (a, _): (usize, u8)) -> Result<usize, ApiError> { Ok(key.len() + a) }

/// One expression, later.
///
/// # Errors
///
/// When there is no key.
#[rustfmt::skip]
#[balanced(balancer = pool)]
pub async fn one_line_async(key: &str, pool: &Balancer, mut a: usize) -> Result<usize, ApiError> { { a += 1; } Ok(key.len() + a) }

fn main() -> Result<(), ApiError> {
    let pool = Balancer::builder().key("test-key").build()?;
    assert_eq!(items_first(&pool, "four", 1)?, 16);
    assert_eq!(one_line(&pool, (1, 2))?, 9);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert_eq!(runtime.block_on(one_line_async(&pool, 1))?, 10);
    assert_eq!(pool.stats().successes(), 3);
    Ok(())
}
