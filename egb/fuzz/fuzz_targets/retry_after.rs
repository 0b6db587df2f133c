//! Headers of any bytes: lines of `name: value`.
#![no_main]

use egb::{HttpError, StatusCode};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 8] = [
    "retry-after",
    "retry-after-ms",
    "ratelimit",
    "ratelimit-reset",
    "x-ratelimit-reset",
    "x-ratelimit-reset-requests",
    "anthropic-ratelimit-requests-reset",
    "x-ratelimit-remaining-requests",
];

fuzz_target!(|text: &str| {
    let headers: Vec<(&str, &str)> = NAMES.into_iter().cycle().zip(text.lines()).collect();
    let error = HttpError::from_parts(429, headers, "");
    assert!(error.retry_after().is_none_or(|wait| !wait.is_zero() && wait.as_secs() <= 31 * 24 * 3600));
});
