//! A server that counts requests a minute.

use std::collections::VecDeque;
use std::time::Duration;

use super::Answer;

/// How a server counts minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windows {
    /// Any 60 seconds.
    Sliding,
    /// From each full minute to the next.
    Fixed,
}

/// The server's books.
#[derive(Debug)]
pub(super) struct Server {
    limits: Vec<u32>,
    windows: Windows,
    length: Duration,
    /// When requests were served, by key. Refused ones do not count.
    served: Vec<VecDeque<Duration>>,
}

impl Server {
    pub(super) fn new(limits: Vec<u32>, windows: Windows) -> Self {
        let served = vec![VecDeque::new(); limits.len()];
        Self { limits, windows, length: Duration::from_secs(60), served }
    }

    /// One limit for all, over any time of this length.
    pub(super) fn pooled(limit: u32, length: Duration) -> Self {
        Self { length, ..Self::new(vec![limit], Windows::Sliding) }
    }

    pub(super) fn request(&mut self, key: usize, now: Duration) -> Answer {
        let served = &mut self.served[key];
        let full_minute = Duration::from_secs(now.as_secs() / 60 * 60);
        let is_past = |at: Duration| match self.windows {
            Windows::Sliding => at + self.length <= now,
            Windows::Fixed => at < full_minute,
        };
        while served.front().is_some_and(|&at| is_past(at)) {
            served.pop_front();
        }
        if served.len() < self.limits[key] as usize {
            served.push_back(now);
            return Answer::Ok;
        }
        let free = match self.windows {
            Windows::Sliding => served.front().map_or(now, |&oldest| oldest + self.length),
            Windows::Fixed => full_minute + self.length,
        };
        Answer::TooMany { retry_after: free.saturating_sub(now) }
    }
}
