//! How long to wait, in every way servers write it: spans, instants, and sentences that hold a span.
//! Pure; what is wrong or over is `None`, and what is too long for its type as long as that can say.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::fmt::temporal::Pieces;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;

/// Numbers from here on are instants and not spans: 1,000,000,000 s was in 2001, and no server means 31 years.
const FIRST_UNIX_TIME: Duration = Duration::from_secs(1_000_000_000);
/// Numbers from here on are Unix times in milliseconds.
const FIRST_UNIX_TIME_IN_MS: Duration = Duration::from_secs(100_000_000_000);

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Reads a header's value: seconds (RFC 9110, 10.2.3), a span such as `6m0s`, or an instant (an HTTP
/// date, RFC 3339, Unix time in seconds or milliseconds, told from seconds to wait by its size).
pub(super) fn wait(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let since_epoch = || now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    match seconds(text) {
        Some(number) if number >= FIRST_UNIX_TIME_IN_MS => (number / 1000).checked_sub(since_epoch()),
        Some(number) if number >= FIRST_UNIX_TIME => number.checked_sub(since_epoch()),
        Some(number) => Some(number),
        None => span(text).or_else(|| instant(text)?.duration_since(now).ok()),
    }
}

/// A plain decimal number of seconds.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let (value, rest) = number(text)?;
    if rest.is_empty() { Some(duration(value)) } else { None }
}

/// A span as Go's `Duration.String` and protobuf's JSON write it: `36s`, `373.8ms`, `10h17m5.72s`.
/// <https://pkg.go.dev/time#ParseDuration>, <https://protobuf.dev/programming-guides/json/>
pub(super) fn span(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("s", NANOS_PER_SECOND),
        ("m", 60 * NANOS_PER_SECOND),
        ("h", 3_600 * NANOS_PER_SECOND),
        ("d", 86_400 * NANOS_PER_SECOND),
    ];
    let (mut rest, mut nanos) = (text, 0_u128);
    while !rest.is_empty() {
        let (value, after) = number(rest)?;
        // `ms` comes before `m` and `s` in the table.
        let (unit, size) = UNITS.into_iter().find(|(unit, _)| after.starts_with(unit))?;
        nanos = nanos.saturating_add(value.saturating_mul(size) / NANOS_PER_SECOND);
        rest = &after[unit.len()..];
    }
    if text.is_empty() { None } else { Some(duration(nanos)) }
}

/// The span that a message names: "Please retry in 36.4s." (Google), "Please try again in 6m0s."
/// (OpenAI), "Please retry after 26 seconds." (Azure). The last one counts; only messages of 429s are asked.
pub(super) fn in_sentence(message: &str) -> Option<Duration> {
    let found = ["retry in ", "try again in ", "retry after "].map(|lead| Some((message.rfind(lead)?, lead)));
    let (at, lead) = found.into_iter().flatten().max()?;
    let mut words = message[at + lead.len()..].split_whitespace();
    let word = words.next()?.trim_end_matches(['.', ',']);
    match seconds(word) {
        Some(number) => words.next()?.starts_with("second").then_some(number),
        None => span(word),
    }
}

/// All three HTTP dates, which a recipient must accept (RFC 9110, 5.6.7), and RFC 3339.
fn instant(text: &str) -> Option<SystemTime> {
    /// The last days that can be written are later than the last instant there is, and are said by who means "never".
    const LAST_DAYS: Date = Date::constant(9999, 12, 30);
    let never = |day: Date| (day >= LAST_DAYS).then_some(Timestamp::MAX);
    let http = |format| {
        let time = strtime::parse(format, text).ok()?.to_datetime().ok()?;
        time.to_zoned_datetime(TimeZone::UTC).map(|time| time.timestamp()).ok().or_else(|| never(time.date()))
    };
    let rfc_3339 = |text: &str| {
        let late = || Pieces::parse(text).ok().filter(|pieces| pieces.offset().is_some());
        text.parse::<Timestamp>().ok().or_else(|| never(late()?.date()))
    };
    let parsed = rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    let parsed = parsed.or_else(|| rfc_3339(text));
    let parsed = parsed.or_else(|| http("%a, %d %b %Y %H:%M:%S GMT"));
    let parsed = parsed.or_else(|| http("%A, %d-%b-%y %H:%M:%S GMT"));
    let parsed = parsed.or_else(|| http("%a %b %e %H:%M:%S %Y"));
    SystemTime::try_from(parsed?).ok()
}

/// Time to the first of the next month, 00:00 UTC.
pub(super) fn until_next_month(now: SystemTime) -> Option<Duration> {
    let today = Timestamp::try_from(now).ok()?.to_zoned_datetime(TimeZone::UTC).date();
    let first = today.last_of_month().tomorrow().ok()?.to_zoned_datetime(TimeZone::UTC).ok()?;
    SystemTime::try_from(first.timestamp()).ok()?.duration_since(now).ok()
}

/// The decimal number at the start, in billionths, and what follows it. One of too many digits is the largest.
fn number(text: &str) -> Option<(u128, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, mut rest) = text.split_at(digits(text));
    if whole.is_empty() {
        return None;
    }
    let mut value = u128::from(whole.parse().unwrap_or(u64::MAX)) * NANOS_PER_SECOND;
    if let Some(after) = rest.strip_prefix('.') {
        let (fraction, after) = after.split_at(digits(after));
        rest = after;
        let billionths = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
        value += billionths.fold(0, |value, digit| value * 10 + u128::from(digit - b'0'));
    }
    Some((value, rest))
}

fn duration(nanos: u128) -> Duration {
    let (seconds, rest) = (u64::try_from(nanos / NANOS_PER_SECOND), u32::try_from(nanos % NANOS_PER_SECOND));
    seconds.ok().zip(rest.ok()).map_or(Duration::MAX, |(seconds, nanos)| Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn now() -> SystemTime {
        // Sun, 06 Nov 1994 08:49:00 GMT.
        NOW + Duration::from_secs(784_111_740)
    }

    #[test]
    fn spans_are_exact() {
        for (text, seconds, nanos) in [
            ("36s", 36, 0),
            ("38.601s", 38, 601_000_000),
            ("373.8ms", 0, 373_800_000),
            ("10h17m5.723541104s", 37_025, 723_541_104),
            ("36.429760048s", 36, 429_760_048),
            ("6m0s", 360, 0),
            ("1d", 86_400, 0),
            ("5us", 0, 5_000),
            ("5µs", 0, 5_000),
            ("7ns", 0, 7),
            ("1.5m", 90, 0),
            ("1.s", 1, 0),
            ("0.1234567891s", 0, 123_456_789),
        ] {
            assert_eq!(span(text), Some(Duration::new(seconds, nanos)), "{text}");
        }
        for text in ["", "s", "5", "-5s", "5x", "5s5", "1e3s", ".5s"] {
            assert_eq!(span(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_too_long_to_say_is_as_long_as_can_be_said() {
        const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);
        for text in [
            "99999999999999999999",
            "99999999999999999999s",
            "18446744073709551615d",
            "18446744073709551615d18446744073709551615d",
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "Fri Dec 31 23:59:59 9999",
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999+00:00",
            "9999-12-30T00:00:00Z",
        ] {
            assert!(wait(text, now()).is_some_and(|wait| wait > CENTURY), "{text}: {:?}", wait(text, now()));
        }
        for text in ["9999-12-31", "9999-12-31T23:59:59", "Fri, 32 Dec 9999 23:59:59 GMT", "9998-13-31T23:59:59Z"] {
            assert_eq!(wait(text, now()), None, "{text}");
        }
    }

    #[test]
    fn a_header_may_hold_seconds_a_span_or_an_instant() {
        for (text, seconds) in [
            ("120", 120),
            (" 7 ", 7),
            ("6m0s", 360),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 37),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 37),
            ("Sun Nov  6 08:49:37 1994", 37),
            ("1994-11-06T08:49:37Z", 37),
            ("1994-11-06T09:49:37+01:00", 37),
        ] {
            assert_eq!(wait(text, now()), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(wait("1.5", now()), Some(Duration::from_millis(1500)));
        for text in ["", "-1", "soon", "1994-11-06T08:48:59Z", "Sun, 06 Nov 1994 08:48:37 GMT", "1994-11-06"] {
            assert_eq!(wait(text, now()), None, "{text}");
        }
    }

    #[test]
    fn a_unix_time_is_told_by_its_size() {
        let now = NOW + Duration::from_secs(1_700_000_000);
        assert_eq!(wait("1700000060", now), Some(Duration::from_secs(60)));
        assert_eq!(wait("1700000060500", now), Some(Duration::from_millis(60_500)));
        assert_eq!(wait("1699999999", now), None);
        assert_eq!(wait("1000000000", NOW + Duration::from_secs(999_999_940)), Some(Duration::from_secs(60)));
        assert_eq!(wait("100000000000", NOW + Duration::from_secs(99_999_940)), Some(Duration::from_secs(60)));
        assert_eq!(wait("999999999", now), Some(Duration::from_secs(999_999_999)));
    }

    #[test]
    fn a_sentence_names_its_span() {
        for (text, span) in [
            ("Quota exceeded.\nPlease retry in 36.4s.", "36.4s"),
            ("Please retry in 10h17m5.723541104s.", "10h17m5.723541104s"),
            ("Limit 3. Please try again in 6m0s. Visit https://example.com", "6m0s"),
            ("Please retry after 26 seconds.", "26s"),
            ("Please retry in 1s. Please retry in 2s", "2s"),
            ("Please try again in 1s, or retry in 2s, at the latest", "2s"),
            ("Please retry in 1s. Please try again in 2s", "2s"),
        ] {
            assert_eq!(in_sentence(text), super::span(span), "{text}");
        }
        for text in ["", "retry in ", "Please try again in a moment", "Please retry after 26", "retry in 5 minutes"] {
            assert_eq!(in_sentence(text), None, "{text}");
        }
    }

    #[test]
    fn a_month_ends_at_midnight_utc() {
        let at = |text: &str| SystemTime::try_from(text.parse::<Timestamp>().unwrap()).unwrap();
        for (now, hours) in
            [("2026-11-30T23:00:00Z", 1), ("2026-12-01T00:00:00Z", 31 * 24), ("2028-02-28T00:00:00Z", 48)]
        {
            assert_eq!(until_next_month(at(now)), Some(Duration::from_secs(hours * 3600)), "{now}");
        }
    }
}
