//! The headers that say when to come back. Knows their names; `wait` knows their values.

use std::time::{Duration, SystemTime};

use super::wait;

/// The headers of an answer that have to do with limits; all others are left where they are.
#[derive(Default)]
pub(in crate::outcome) struct Headers(Vec<(String, String)>);

impl Headers {
    pub(in crate::outcome) fn add(&mut self, name: &str, value: &[u8]) {
        let name = name.to_ascii_lowercase();
        let counts = ["retry-after", "ratelimit", "rate-limit"].iter().any(|part| name.contains(part));
        if counts && let Ok(value) = std::str::from_utf8(value) {
            self.0.push((name, value.trim().to_owned()));
        }
    }

    /// How long the server asks to wait.
    pub(in crate::outcome) fn wait(&self, now: SystemTime) -> Option<Duration> {
        self.retry_after_ms().or_else(|| wait::wait(self.get("retry-after")?, now)).or_else(|| self.reset(now))
    }

    /// Azure's and OpenAI's more exact `Retry-After`.
    /// <https://learn.microsoft.com/azure/ai-foundry/openai/how-to/quota>
    fn retry_after_ms(&self) -> Option<Duration> {
        Some(wait::seconds(self.get("retry-after-ms")?)? / 1000)
    }

    /// When the window that is used up starts anew; of several, the last. A window with something left
    /// says nothing: its reset is sent with every answer.
    fn reset(&self, now: SystemTime) -> Option<Duration> {
        self.0.iter().filter_map(|(name, value)| self.reset_of(name, value, now)).max()
    }

    fn reset_of(&self, name: &str, value: &str, now: SystemTime) -> Option<Duration> {
        if name == "ratelimit" {
            return value.split(',').filter_map(draft_item).max().or_else(|| draft_dictionary(value));
        }
        // x-ratelimit-remaining-requests, -tokens (OpenAI, https://developers.openai.com/api/docs/guides/rate-limits),
        // anthropic-ratelimit-tokens-remaining (https://platform.claude.com/docs/en/api/rate-limits),
        // and the x-ratelimit-remaining that many servers have.
        if !name.contains("remaining") || seconds_left(value)? > 0 {
            return None;
        }
        wait::wait(self.get(&name.replace("remaining", "reset"))?, now)
    }

    fn get(&self, wanted: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }
}

fn seconds_left(value: &str) -> Option<u64> {
    value.parse().ok()
}

/// `"default";r=0;t=30`: draft-ietf-httpapi-ratelimit-headers-10, section 4.
fn draft_item(item: &str) -> Option<Duration> {
    let parameter = |name| item.split(';').find_map(|part| part.trim().strip_prefix(name));
    if parameter("r=")? == "0" { wait::seconds(parameter("t=")?) } else { None }
}

/// `limit=100, remaining=0, reset=30`: the same draft up to its version 07.
fn draft_dictionary(value: &str) -> Option<Duration> {
    let member = |name| value.split(',').find_map(|part| part.trim().strip_prefix(name));
    if member("remaining=")? == "0" { wait::seconds(member("reset=")?) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_in_ms(headers: &[(&str, &str)]) -> Option<u128> {
        let mut read = Headers::default();
        for (name, value) in headers {
            read.add(name, value.as_bytes());
        }
        let now: jiff::Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        read.wait(now.try_into().unwrap()).map(|wait| wait.as_millis())
    }

    #[test]
    fn retry_after_goes_before_resets_and_milliseconds_before_both() {
        let reset = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "6m0s")];
        assert_eq!(wait_in_ms(&reset), Some(360_000));
        assert_eq!(wait_in_ms(&[&reset[..], &[("Retry-After", "2")]].concat()), Some(2_000));
        assert_eq!(wait_in_ms(&[&reset[..], &[("Retry-After", "2"), ("retry-after-ms", "120")]].concat()), Some(120));
        assert_eq!(wait_in_ms(&[("retry-after-ms", "x"), ("retry-after", "2")]), Some(2_000));
        assert_eq!(wait_in_ms(&[("retry-after", "-1"), reset[0], reset[1]]), Some(360_000));
    }

    #[test]
    fn a_reset_counts_when_nothing_remains() {
        for (headers, wait) in [
            (&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "120ms")][..], Some(120)),
            (&[("x-ratelimit-remaining-tokens", "1"), ("x-ratelimit-reset-tokens", "120ms")], None),
            (&[("x-ratelimit-remaining-tokens", "-1"), ("x-ratelimit-reset-tokens", "120ms")], None),
            (&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "-1")], None),
            (&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-requests", "1s")], None),
            (&[("x-ratelimit-reset-tokens", "6m0s")], None),
            (&[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1795435230")], Some(30_000)),
            (&[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "30")], Some(30_000)),
            (&[("X-Rate-Limit-Remaining", "0"), ("X-Rate-Limit-Reset", "30")], Some(30_000)),
            (
                &[
                    ("anthropic-ratelimit-requests-remaining", "0"),
                    ("anthropic-ratelimit-requests-reset", "2026-11-23T12:00:12Z"),
                    ("anthropic-ratelimit-tokens-remaining", "0"),
                    ("anthropic-ratelimit-tokens-reset", "2026-11-23T12:00:40Z"),
                    ("anthropic-ratelimit-output-tokens-remaining", "5"),
                    ("anthropic-ratelimit-output-tokens-reset", "2026-11-23T13:00:00Z"),
                ],
                Some(40_000),
            ),
            (&[("RateLimit", "\"default\";r=0;t=30")], Some(30_000)),
            (&[("RateLimit", "\"a\";r=5;t=60, \"b\"; r=0; t=20,\"c\";r=0;t=10")], Some(20_000)),
            (&[("RateLimit", "\"default\";r=1;t=30")], None),
            (&[("RateLimit", "limit=10, remaining=0, reset=50")], Some(50_000)),
            (&[("RateLimit", "limit=10, remaining=1, reset=50")], None),
            (&[("RateLimit-Policy", "\"default\";q=100;w=60")], None),
        ] {
            assert_eq!(wait_in_ms(headers), wait, "{headers:?}");
        }
    }
}
