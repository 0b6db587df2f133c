//! Instants and spans: RFC 3339 in UTC for programs, relative to now for people.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// An instant in JSON: `2026-11-24T09:30:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Utc(pub(crate) SystemTime);

impl Serialize for Utc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&rfc3339(self.0))
    }
}

/// The first or last instant that can be written stands for those beyond.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let beyond = if time < SystemTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::try_from(time).unwrap_or(beyond).to_string()
}

/// To the second, for people: `2026-11-24T09:30:00Z`.
pub(crate) fn moment(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::MIN);
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The time of day in UTC: `09:30:00`.
pub(crate) fn clock(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::MIN);
    time.strftime("%H:%M:%S").to_string()
}

/// `3m ago`: the largest unit is enough.
pub(crate) fn ago(time: Option<SystemTime>, now: SystemTime) -> String {
    let Some(time) = time else { return "never".to_owned() };
    let span = span(now.duration_since(time).unwrap_or_default());
    format!("{} ago", span.split(' ').next().unwrap_or_default())
}

/// `4m 12s`, or nothing when it is over.
pub(crate) fn left(until: Option<SystemTime>, now: SystemTime) -> String {
    let left = until.and_then(|until| until.duration_since(now).ok()).filter(|left| !left.is_zero());
    left.map_or_else(String::new, |left| {
        // Rounded up: at the end of it the key is back.
        span(Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0)))
    })
}

/// The two largest units: `4m 12s`, `3h`, `12d 4h`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let parts = match seconds {
        0..60 => return format!("{seconds}s"),
        60..3_600 => [(minutes, 'm'), (seconds % 60, 's')],
        3_600..86_400 => [(hours, 'h'), (minutes, 'm')],
        _ => [(days, 'd'), (hours, 'h')],
    };
    let parts: Vec<String> =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, unit)| format!("{number}{unit}")).collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        let spans = [0, 59, 60, 252, 3_600, 7_260, 86_400, 1_051_200].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(spans, ["0s", "59s", "1m", "4m 12s", "1h", "2h 1m", "1d", "12d 4h"]);
    }

    #[test]
    fn instants_are_relative_for_people_and_utc_for_programs() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_435_200);
        assert_eq!(ago(None, now), "never");
        assert_eq!(ago(Some(now - Duration::from_secs(190)), now), "3m ago");
        assert_eq!(ago(Some(now + Duration::from_secs(180)), now), "0s ago", "a clock may be wrong");
        assert_eq!(left(Some(now + Duration::from_millis(2_100)), now), "3s");
        assert_eq!(left(Some(now), now), "");
        assert_eq!(rfc3339(now), "2026-11-23T12:00:00Z");
        assert_eq!(moment(now + Duration::from_millis(999)), "2026-11-23T12:00:00Z");
        assert_eq!(clock(now), "12:00:00");
        assert_eq!(rfc3339(now + Duration::from_millis(5)), "2026-11-23T12:00:00.005Z");
    }
}
