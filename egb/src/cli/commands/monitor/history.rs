//! Counts over time: what was called in each of the last looks, and how fast.

use std::collections::VecDeque;
use std::time::Duration;

use crate::stats::Stats;

/// Looks that are kept: a minute of them, at one a second.
const LOOKS: usize = 60;

/// Calls with one key.
#[derive(Debug, Default)]
pub(super) struct History {
    last: Option<(Duration, u64)>,
    /// Calls a second between two looks, the newest last.
    rates: VecDeque<f32>,
}

impl History {
    /// So many calls there were until `at`.
    pub(super) fn add(&mut self, at: Duration, calls: u64) {
        if let Some((before, counted)) = self.last.replace((at, calls)) {
            let elapsed = at.saturating_sub(before).as_secs_f32().max(f32::EPSILON);
            #[expect(clippy::cast_precision_loss, reason = "drawn with eight levels")]
            let rate = calls.saturating_sub(counted) as f32 / elapsed;
            if self.rates.len() == LOOKS {
                self.rates.pop_front();
            }
            self.rates.push_back(rate);
        }
    }

    pub(super) fn peak(&self) -> f32 {
        self.rates.iter().copied().fold(0.0, f32::max)
    }

    pub(super) fn total(&self) -> f32 {
        self.rates.iter().sum()
    }

    /// A character for each of the last looks, as high as its part of `peak`; what was before is blank.
    pub(super) fn sparkline(&self, width: usize, peak: f32) -> String {
        const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let drawn = self.rates.len().min(width);
        let blank = std::iter::repeat_n(' ', width - drawn);
        let bars = self.rates.iter().skip(self.rates.len() - drawn).map(|&rate| {
            if rate <= 0.0 || peak <= 0.0 {
                return ' ';
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 8")]
            let level = (rate / peak * 8.0).ceil() as usize;
            LEVELS[level.clamp(1, 8) - 1]
        });
        blank.chain(bars).collect()
    }
}

/// What all keys did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) calls: u64,
    pub(super) successes: u64,
    pub(super) failures: u64,
    pub(super) throttled: u64,
}

impl Sums {
    pub(super) fn of(stats: &Stats) -> Self {
        Self {
            calls: stats.calls(),
            successes: stats.successes(),
            failures: stats.failures(),
            throttled: stats.throttled(),
        }
    }

    fn since(self, earlier: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(earlier.calls),
            successes: self.successes.saturating_sub(earlier.successes),
            failures: self.failures.saturating_sub(earlier.failures),
            throttled: self.throttled.saturating_sub(earlier.throttled),
        }
    }
}

/// What all keys do now. Other programs' counts come in twice a second or so: speed is an average.
#[derive(Debug, Default)]
pub(super) struct Flow {
    looks: VecDeque<(Duration, Sums)>,
    pub(super) history: History,
}

/// What speed is the average of.
const RECENT: Duration = Duration::from_secs(10);

impl Flow {
    pub(super) fn add(&mut self, at: Duration, sums: Sums) {
        if self.looks.len() > LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back((at, sums));
        self.history.add(at, sums.calls);
    }

    /// The sums so far.
    pub(super) fn sums(&self) -> Sums {
        self.looks.back().map(|(_, sums)| *sums).unwrap_or_default()
    }

    /// Calls and 429s a second.
    pub(super) fn speed(&self) -> Option<(f64, f64)> {
        let (now, last) = *self.looks.back()?;
        let begin = now.saturating_sub(RECENT);
        let (then, first) = *self.looks.iter().find(|(at, _)| *at >= begin)?;
        let seconds = now.saturating_sub(then).as_secs_f64();
        let recent = last.since(first);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 calls")]
        let a_second = |count: u64| count as f64 / seconds;
        (seconds > 0.0).then(|| (a_second(recent.calls), a_second(recent.throttled)))
    }

    /// The part that succeeded of what ended in the looks that are kept, or without any of all so far.
    pub(super) fn success_rate(&self) -> Option<f64> {
        let (_, last) = *self.looks.back()?;
        let (_, first) = *self.looks.front()?;
        let recent = last.since(first);
        let Sums { successes, failures, .. } = if recent.successes + recent.failures > 0 { recent } else { last };
        let ended = successes + failures;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 calls")]
        let part = successes as f64 / ended as f64;
        (ended > 0).then_some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_sparkline_shows_the_last_looks_and_the_newest_at_the_right() {
        let mut history = History::default();
        let calls = [100, 100, 101, 108, 116, 116];
        for (second, calls) in (0..).zip(calls) {
            history.add(at(second), calls);
        }
        assert_eq!(history.peak(), 8.0);
        assert_eq!(history.sparkline(8, 8.0), "    ▁▇█ ", "what was before the first look does not count");
        assert_eq!(history.sparkline(2, 8.0), "█ ");
        assert_eq!(history.sparkline(3, 1_000.0), "▁▁ ", "what there is can be seen");
        assert_eq!(History::default().sparkline(3, 0.0), "   ");
    }

    #[test]
    fn a_long_pause_is_no_peak_and_a_count_that_goes_back_no_calls() {
        let mut history = History::default();
        [(0, 0), (1, 10), (101, 110), (102, 100)]
            .into_iter()
            .for_each(|(second, calls)| history.add(at(second), calls));
        assert_eq!(history.rates, [10.0, 1.0, 0.0]);
        (103..300).for_each(|second| history.add(at(second), 100));
        assert_eq!((history.rates.len(), history.total()), (LOOKS, 0.0));
    }

    #[test]
    fn speed_is_that_of_the_last_seconds_and_success_that_of_the_last_minute() {
        let mut flow = Flow::default();
        assert_eq!((flow.speed(), flow.success_rate()), (None, None));
        let sums = |calls, failures, throttled| Sums { calls, successes: calls - failures, failures, throttled };
        flow.add(at(0), sums(1_000, 500, 0));
        assert_eq!((flow.speed(), flow.success_rate()), (None, Some(0.5)), "so far");
        flow.add(at(1), sums(1_010, 500, 0));
        assert_eq!((flow.speed(), flow.success_rate()), (Some((10.0, 0.0)), Some(1.0)));
        flow.add(at(2), sums(1_020, 510, 10));
        assert_eq!((flow.speed(), flow.success_rate()), (Some((10.0, 5.0)), Some(0.5)));
        flow.add(at(13), sums(1_020, 510, 10));
        flow.add(at(14), sums(1_020, 510, 10));
        assert_eq!(flow.speed(), Some((0.0, 0.0)));
        assert_eq!(flow.sums(), sums(1_020, 510, 10));
    }
}
