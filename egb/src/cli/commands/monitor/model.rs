//! What the monitor knows: the last look at the pool, the looks before, and what of it is to be shown. Knows nothing of
//! terminals, threads or clocks: it is told what was seen and when.

use std::cmp::{Ordering, Reverse};
use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use clap::ValueEnum;

use super::happening::Happening;
use super::history::{Flow, History, Sums};
use crate::cli::output::style::state_words;
use crate::cli::rows::{self, Count};
use crate::events::Event;
use crate::key::ByFingerprint;
use crate::stats::{KeyStats, Stats};

/// So many events are remembered.
const REMEMBERED: usize = 500;

/// What keys are ordered by: what is of interest comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// The order in which keys were given
    #[default]
    Given,
    /// Disabled, resting, limited, busy, available
    State,
    /// The least healthy first
    Health,
    /// The one with the most calls in the last minute first
    Rate,
    /// The one with the most calls first
    Calls,
    /// The one with the most failures first
    Errors,
    /// The one with the most 429s first
    Throttled,
    /// The one used last first
    LastUsed,
    /// By label, those without one last
    Label,
}

/// What keystrokes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Table,
    /// What is typed is the filter.
    Filtering,
    Help,
}

/// What a keystroke asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Quit,
    /// Ends the filter, or without one the monitor.
    Leave,
    Pause,
    Help,
    /// Ends help.
    Back,
    NextSort,
    PreviousSort,
    Reverse,
    BeginFilter,
    Type(char),
    Erase,
    KeepFilter,
    ClearFilter,
    Scroll(Scroll),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scroll {
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Model {
    /// What is watched.
    pub(super) title: String,
    pub(super) interval: Duration,
    /// When the last look was.
    pub(super) now: SystemTime,
    pub(super) keys: Vec<KeyStats>,
    /// Digits that tell the fingerprints of the keys apart.
    pub(super) digits: usize,
    pub(super) count: Count,
    pub(super) flow: Flow,
    /// Places in `keys` of those that the filter admits, in order.
    pub(super) shown: Vec<usize>,
    histories: ByFingerprint<History>,
    /// The most calls a second that any key had: the top of all sparklines.
    pub(super) peak: f32,
    /// The newest last.
    pub(super) happenings: VecDeque<Happening>,
    /// Those that came during a pause.
    held_back: Vec<Happening>,
    pub(super) mode: Mode,
    pub(super) is_paused: bool,
    pub(super) sort: Sort,
    pub(super) is_reversed: bool,
    pub(super) filter: String,
    /// The first row on the screen.
    top: usize,
    /// Rows that the screen has room for.
    page: usize,
}

impl Model {
    pub(super) fn new(title: String, interval: Duration, sort: Sort, filter: String, now: SystemTime) -> Self {
        Self {
            title,
            interval,
            now,
            keys: Vec::new(),
            digits: 0,
            count: Count::default(),
            flow: Flow::default(),
            shown: Vec::new(),
            histories: ByFingerprint::default(),
            peak: 0.0,
            happenings: VecDeque::new(),
            held_back: Vec::new(),
            mode: Mode::Table,
            is_paused: false,
            sort,
            is_reversed: false,
            filter,
            top: 0,
            page: 1,
        }
    }

    /// Takes in what was seen at `now`, which is `at` on a clock that does not jump.
    pub(super) fn look(&mut self, stats: Stats, at: Duration, now: SystemTime) {
        self.now = now;
        self.flow.add(at, Sums::of(&stats));
        let mut before = std::mem::take(&mut self.histories);
        for key in &stats.keys {
            let mut history = before.remove(&key.fingerprint).unwrap_or_default();
            history.add(at, key.calls);
            self.histories.insert(key.fingerprint, history);
        }
        self.peak = self.histories.values().map(History::peak).fold(0.0, f32::max);
        self.keys = stats.keys;
        self.digits = rows::digits(self.keys.iter().map(|key| key.fingerprint));
        self.count = Count::of(&self.keys);
        self.arrange();
    }

    /// Takes in an event that was heard at `at`.
    pub(super) fn hear(&mut self, event: &Event, at: SystemTime) {
        let key = self.keys.iter().find(|key| key.fingerprint == event.fingerprint);
        let digits = self.digits.max(rows::FEWEST_DIGITS);
        let name = match (&event.label, key) {
            (Some(label), _) => label.clone(),
            (None, Some(key)) => rows::name(key, digits),
            (None, None) => rows::short(event.fingerprint, digits),
        };
        self.happen(Happening::of(event, name, at));
    }

    /// More happened than could be heard, or something else that is worth a line.
    pub(super) fn note(&mut self, text: String, at: SystemTime) {
        self.happen(Happening::note(text, at));
    }

    fn happen(&mut self, happening: Happening) {
        if self.is_paused {
            self.held_back.push(happening);
            let surplus = self.held_back.len().saturating_sub(REMEMBERED);
            self.held_back.drain(..surplus);
            return;
        }
        self.happenings.push_back(happening);
        while self.happenings.len() > REMEMBERED {
            self.happenings.pop_front();
        }
    }

    pub(super) fn history(&self, key: &KeyStats) -> Option<&History> {
        self.histories.get(&key.fingerprint)
    }

    /// The rows on the screen, with the place of the first.
    pub(super) fn visible(&self) -> (usize, impl Iterator<Item = &KeyStats>) {
        let rows = self.shown.iter().skip(self.top).take(self.page);
        (self.top, rows.map(|&place| &self.keys[place]))
    }

    /// The screen has room for so many rows.
    pub(super) fn set_page(&mut self, rows: usize) {
        self.page = rows.max(1);
        self.stay_within();
    }

    fn stay_within(&mut self) {
        self.top = self.top.min(self.shown.len().saturating_sub(self.page));
    }

    /// Does what a keystroke asks for. Returns whether to go on.
    pub(super) fn obey(&mut self, wish: Wish) -> bool {
        match wish {
            Wish::Quit => return false,
            Wish::Leave if self.filter.is_empty() => return false,
            Wish::Pause => self.pause(),
            Wish::Help => self.mode = Mode::Help,
            Wish::Back | Wish::KeepFilter => self.mode = Mode::Table,
            Wish::NextSort => self.step_sort(1),
            Wish::PreviousSort => self.step_sort(Sort::value_variants().len() - 1),
            Wish::Reverse => self.is_reversed = !self.is_reversed,
            Wish::BeginFilter => self.mode = Mode::Filtering,
            Wish::Type(letter) => self.filter.push(letter),
            Wish::Erase => {
                self.filter.pop();
            }
            Wish::ClearFilter | Wish::Leave => {
                self.filter.clear();
                self.mode = Mode::Table;
            }
            Wish::Scroll(to) => self.scroll(to),
        }
        match wish {
            Wish::Scroll(_) | Wish::Pause | Wish::Help | Wish::Back => {}
            _ => {
                self.top = 0;
                self.arrange();
            }
        }
        true
    }

    fn pause(&mut self) {
        self.is_paused = !self.is_paused;
        for happening in std::mem::take(&mut self.held_back) {
            self.happen(happening);
        }
    }

    fn step_sort(&mut self, by: usize) {
        let all = Sort::value_variants();
        let place = all.iter().position(|sort| *sort == self.sort).unwrap_or(0);
        self.sort = all[(place + by) % all.len()];
        self.is_reversed = false;
    }

    fn scroll(&mut self, to: Scroll) {
        self.top = match to {
            Scroll::Up => self.top.saturating_sub(1),
            Scroll::Down => self.top + 1,
            Scroll::PageUp => self.top.saturating_sub(self.page),
            Scroll::PageDown => self.top + self.page,
            Scroll::Top => 0,
            Scroll::Bottom => self.shown.len(),
        };
        self.stay_within();
    }

    /// Filters and sorts.
    fn arrange(&mut self) {
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let mut shown: Vec<usize> = (0..self.keys.len()).filter(|&place| matches(&self.keys[place], &words)).collect();
        let order = |&a: &usize, &b: &usize| self.compare(&self.keys[a], &self.keys[b]);
        match (self.sort, self.is_reversed) {
            (Sort::Given, false) => {}
            (Sort::Given, true) => shown.reverse(),
            (_, false) => shown.sort_by(order),
            (_, true) => shown.sort_by(|a, b| order(b, a)),
        }
        self.shown = shown;
        self.stay_within();
    }

    fn compare(&self, a: &KeyStats, b: &KeyStats) -> Ordering {
        let rate = |key| self.history(key).map_or(0.0, History::total);
        match self.sort {
            Sort::Given => Ordering::Equal,
            Sort::State => rows::rank(a.state).cmp(&rows::rank(b.state)),
            Sort::Health => a.health.factor().total_cmp(&b.health.factor()),
            Sort::Rate => rate(b).total_cmp(&rate(a)),
            Sort::Calls => b.calls.cmp(&a.calls),
            Sort::Errors => b.failures.cmp(&a.failures),
            Sort::Throttled => b.throttled.cmp(&a.throttled),
            Sort::LastUsed => Reverse(a.last_used).cmp(&Reverse(b.last_used)),
            Sort::Label => (a.label.is_none(), &a.label).cmp(&(b.label.is_none(), &b.label)),
        }
    }
}

/// Whether all of the words (in lower case) are somewhere in what is shown of the key.
fn matches(key: &KeyStats, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let texts = [
        key.masked.to_lowercase(),
        key.label.as_deref().unwrap_or_default().to_lowercase(),
        key.group.as_deref().unwrap_or_default().to_lowercase(),
        state_words(key.state).to_owned(),
        rows::failure(key).unwrap_or_default(),
    ];
    // Short words are somewhere in almost any fingerprint.
    let fingerprint = key.fingerprint.to_string();
    words.iter().all(|word| fingerprint.starts_with(word) || texts.iter().any(|text| text.contains(word)))
}

#[cfg(test)]
mod tests;
