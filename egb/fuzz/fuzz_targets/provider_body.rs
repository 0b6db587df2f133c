//! An error answer of any status and body: the first two bytes are the status.
#![no_main]

use egb::{HttpError, StatusCode};
use libfuzzer_sys::fuzz_target;

const MONTH: u64 = 31 * 24 * 3600;

fuzz_target!(|bytes: &[u8]| {
    let Some((status, body)) = bytes.split_first_chunk::<2>() else { return };
    let error = HttpError::new(u16::from_le_bytes(*status), body);
    assert!(error.retry_after().is_none_or(|wait| !wait.is_zero() && wait.as_secs() <= MONTH));
    let (shown, debug) = (error.to_string(), format!("{error:?}"));
    assert!(!shown.contains("AIzaSyFAKE_0123456789_0123456789_012345") && debug.len() < 1 << 20);
    let _ = HttpError::from_stream_event(body);
});
