//! The rules of the Python original, to the bit.

use super::{LOWEST_FACTOR, RECOVERY};
use crate::health::Health;
use crate::outcome::Failure;

const HIGHEST: f64 = 10.0;

pub(super) fn succeed(health: &mut Health) {
    if health.effective < HIGHEST {
        health.effective = (health.effective * RECOVERY).min(HIGHEST);
    }
}

pub(super) fn fail(health: &mut Health, failure: &Failure) {
    health.past.consecutive_errors = health.past.consecutive_errors.saturating_add(1);
    // The original knew errors by status alone, and counted one without a status as a 500.
    let setback = match failure.status_code().unwrap_or(500) {
        400 => {
            health.disabled = true;
            return;
        }
        403 | 429 | 500 | 502 | 503 | 504 => 0.8,
        _ => 0.9,
    };
    health.effective = (health.effective * setback).max(LOWEST_FACTOR);
}
