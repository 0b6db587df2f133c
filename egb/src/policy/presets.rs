//! The tables of the policies that have a name. Of two rows that fit a failure the later one counts; what no row
//! fits (the request's fault, this host's, the model's) is not held against the key.

use std::time::Duration;

use super::rule::{Rule, When};
use crate::outcome::Reason;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// How long a circuit stays open. Resilience4j and Envoy start in the same range.
const CIRCUIT: (u32, Duration, Duration) = (5, Duration::from_secs(5), Duration::from_secs(300));

pub(super) fn standard() -> Vec<(When, Rule)> {
    let (after, first, longest) = CIRCUIT;
    let circuit = Rule::circuit(after, first, longest);
    vec![
        (Reason::InvalidKey.into(), Rule::disable()),
        (Reason::Forbidden.into(), Rule::cooldown(5 * MINUTE, 20 * MINUTE).disable_after(3)),
        (Reason::Billing.into(), Rule::cooldown(HOUR, 4 * HOUR).setback(1.0).disable_after(3)),
        // 402 Payment Required (RFC 9110, 15.5.3) is final; a 429 that speaks of money may pass.
        ((402, Reason::Billing).into(), Rule::disable()),
        (Reason::RateLimited.into(), Rule::cooldown(SECOND, 5 * MINUTE)),
        (Reason::DailyQuota.into(), Rule::cooldown_until_midnight(MINUTE)),
        (Reason::Server.into(), circuit.clone()),
        (Reason::Network.into(), circuit.setback(0.9)),
    ]
}

/// The standard, but nothing disables.
pub(super) fn lenient() -> Vec<(When, Rule)> {
    let mut table = standard();
    table.extend([
        (Reason::InvalidKey.into(), Rule::cooldown(HOUR, 24 * HOUR).setback(1.0)),
        (Reason::Forbidden.into(), Rule::cooldown(5 * MINUTE, 4 * HOUR)),
        (Reason::Billing.into(), Rule::cooldown(HOUR, 24 * HOUR).setback(1.0)),
    ]);
    table
}

/// The standard's idea of whose fault it is, without consequences.
pub(super) fn passive() -> Vec<(When, Rule)> {
    standard().into_iter().map(|(when, _)| (when, Rule::count())).collect()
}
