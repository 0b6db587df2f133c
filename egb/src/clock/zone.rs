//! The time zone whose midnight ends a day.

use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;

/// Where Google's daily quotas reset: "midnight Pacific time", <https://ai.google.dev/gemini-api/docs/rate-limits>.
const US_PACIFIC: &str = "America/Los_Angeles";

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A time zone; US Pacific if none is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Self {
        // The database of time zones is part of the program.
        Self::named(US_PACIFIC).unwrap_or(Self(TimeZone::UTC))
    }
}

impl Zone {
    /// The zone of this name in the IANA database (`Europe/Berlin`, `UTC`); `None` if there is no such name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    /// The first midnight after `now`.
    pub(crate) fn next_midnight(&self, now: SystemTime) -> SystemTime {
        let tomorrow = || -> Result<SystemTime, jiff::Error> {
            let here = jiff::Timestamp::try_from(now)?.to_zoned_datetime(self.0.clone());
            here.tomorrow()?.start_of_day()?.timestamp().try_into()
        };
        // Only for years that the calendar does not know.
        tomorrow().unwrap_or(now + DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> SystemTime {
        text.parse::<jiff::Timestamp>().unwrap().try_into().unwrap()
    }

    #[test]
    fn midnight_in_california_follows_daylight_saving_time() {
        let zone = Zone::default();
        assert_eq!(zone.next_midnight(utc("2026-11-23T12:00:00Z")), utc("2026-11-24T08:00:00Z"));
        assert_eq!(zone.next_midnight(utc("2026-07-01T06:59:59Z")), utc("2026-07-01T07:00:00Z"));
        assert_eq!(zone.next_midnight(utc("2026-07-01T07:00:00Z")), utc("2026-07-02T07:00:00Z"));
        // The day on which the clocks go back has 25 hours.
        assert_eq!(zone.next_midnight(utc("2026-11-01T07:00:00Z")), utc("2026-11-02T08:00:00Z"));
    }

    #[test]
    fn a_zone_is_known_by_its_name() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        assert_eq!(berlin.next_midnight(utc("2026-11-23T12:00:00Z")), utc("2026-11-23T23:00:00Z"));
        assert_eq!(Zone::named("UTC").unwrap().next_midnight(utc("2026-11-23T12:00:00Z")), utc("2026-11-24T00:00:00Z"));
        assert_eq!(Zone::named("Europe/Atlantis"), None);
    }
}
