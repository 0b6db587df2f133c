//! What one key may send: requests in any 60 seconds, and in 24 hours from the first one on.

use std::collections::VecDeque;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The limits of one key at the server. The minute is a sliding window, exact to the nanosecond: the
/// strictest way in which a provider could count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    per_minute: Option<usize>,
    per_day: Option<usize>,
}

impl Quota {
    /// No limit.
    pub fn unlimited() -> Self {
        Self::default()
    }

    /// So many requests in any 60 seconds.
    pub fn per_minute(requests: usize) -> Self {
        Self { per_minute: Some(requests), per_day: None }
    }

    /// So many requests in the 24 hours from the first one on.
    pub fn per_day(requests: usize) -> Self {
        Self { per_minute: None, per_day: Some(requests) }
    }

    /// Adds a limit per day.
    #[must_use]
    pub fn and_per_day(self, requests: usize) -> Self {
        Self { per_day: Some(requests), ..self }
    }
}

/// The quota that a request exceeds, and when the next one would pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    pub(crate) window: Window,
    pub(crate) limit: usize,
    pub(crate) retry_delay: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    Minute,
    Day,
}

/// The requests that count against a quota. Refused ones do not.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    minute: VecDeque<Duration>,
    day_start: Duration,
    today: usize,
}

impl Usage {
    /// Books a request at `now`, unless it exceeds the quota.
    pub(crate) fn book(&mut self, quota: Quota, now: Duration) -> Result<(), Exceeded> {
        while self.minute.front().is_some_and(|&oldest| now >= oldest + MINUTE) {
            self.minute.pop_front();
        }
        if now >= self.day_start + DAY {
            self.today = 0;
        }
        if let Some(limit) = quota.per_day.filter(|&limit| self.today >= limit) {
            // As Google does: a short delay in an answer that says "per day".
            return Err(Exceeded { window: Window::Day, limit, retry_delay: Duration::from_secs(30) });
        }
        if let Some(limit) = quota.per_minute.filter(|&limit| self.minute.len() >= limit) {
            let freed = self.minute.get(self.minute.len() - limit).map_or(now, |&oldest| oldest + MINUTE);
            return Err(Exceeded { window: Window::Minute, limit, retry_delay: freed.saturating_sub(now) });
        }
        if self.today == 0 {
            self.day_start = now;
        }
        self.today += 1;
        self.minute.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_minute_slides() {
        let mut usage = Usage::default();
        let quota = Quota::per_minute(2);
        assert_eq!(usage.book(quota, Duration::ZERO), Ok(()));
        assert_eq!(usage.book(quota, 40 * SECOND), Ok(()));
        let refused = usage.book(quota, 59 * SECOND).unwrap_err();
        assert_eq!((refused.window, refused.retry_delay), (Window::Minute, SECOND));
        assert_eq!(usage.book(quota, 60 * SECOND), Ok(()));
        assert!(usage.book(quota, 99 * SECOND).is_err());
        assert_eq!(usage.book(quota, 100 * SECOND), Ok(()));
    }

    #[test]
    fn the_day_ends_24_hours_after_its_first_request() {
        let mut usage = Usage::default();
        let quota = Quota::per_day(1);
        assert_eq!(usage.book(quota, 5 * SECOND), Ok(()));
        assert_eq!(usage.book(quota, DAY).unwrap_err().window, Window::Day);
        assert_eq!(usage.book(quota, DAY + 5 * SECOND), Ok(()));
    }
}
