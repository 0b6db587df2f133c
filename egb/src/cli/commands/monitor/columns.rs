//! The columns of the table: which of them a screen has room for, how wide they are, and what is in a cell.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::model::{Model, Sort};
use super::view::color;
use crate::cli::output::style::{number, state_words};
use crate::cli::output::time::{ago, left};
use crate::cli::rows;
use crate::stats::KeyStats;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Key,
    Name,
    Group,
    State,
    Health,
    Calls,
    Recent,
    Failed,
    Throttled,
    LastUsed,
    LastError,
}

/// The narrowest screen on which all columns have room.
const WIDE: u16 = 130;

/// The columns for a screen of this width, with theirs, in order.
pub(super) fn of(model: &Model, screen: u16) -> Vec<(Column, u16)> {
    let is_wide = screen >= WIDE;
    let has_names = model.keys.iter().any(|key| !rows::own_name(key).is_empty());
    let has_groups = is_wide && model.keys.iter().any(|key| key.group.is_some());
    // The least width, and the part of what is left over that it may take.
    let all = [
        (Column::Key, u16::try_from(model.digits).unwrap_or(u16::MAX), 0, true),
        (Column::Name, 9, if is_wide { 16 } else { 4 }, has_names),
        (Column::Group, 10, 10, has_groups),
        (Column::State, 14, if is_wide { 6 } else { 0 }, true),
        (Column::Health, if is_wide { 15 } else { 9 }, 0, true),
        (Column::Calls, 7, if is_wide { 4 } else { 0 }, true),
        (Column::Recent, 10, 50, true),
        (Column::Failed, 7, 0, is_wide),
        (Column::Throttled, 7, 0, is_wide),
        (Column::LastUsed, 10, 0, is_wide),
        (Column::LastError, 16, if is_wide { 16 } else { 0 }, true),
    ];
    let mut columns: Vec<(Column, u16, u16)> = all
        .into_iter()
        .filter(|(.., is_there)| *is_there)
        .map(|(column, least, more, _)| (column, least, more))
        .collect();
    let taken = |columns: &[(Column, u16, u16)]| {
        let widths: u16 = columns.iter().map(|(_, width, _)| width).sum();
        widths + u16::try_from(columns.len()).unwrap_or(u16::MAX).saturating_sub(1)
    };
    // What does not fit is left out, from the end.
    while columns.len() > 1 && taken(&columns) > screen {
        columns.pop();
    }
    let mut spare = screen.saturating_sub(taken(&columns));
    // A picture of the past comes after what has to be read.
    for pictures in [false, true] {
        for (column, width, more) in &mut columns {
            if (*column == Column::Recent) == pictures {
                let extra = (*more).min(spare);
                *width += extra;
                spare -= extra;
            }
        }
    }
    columns.into_iter().map(|(column, width, _)| (column, width)).collect()
}

impl Column {
    pub(super) fn title(self) -> Line<'static> {
        match self {
            Self::Key => Line::from("KEY"),
            Self::Name => Line::from("NAME"),
            Self::Group => Line::from("GROUP"),
            Self::State => Line::from("STATE"),
            Self::Health => Line::from("HEALTH"),
            Self::Calls => Line::from("CALLS").right_aligned(),
            Self::Recent => Line::from("RECENT").right_aligned(),
            Self::Failed => Line::from("FAILED").right_aligned(),
            Self::Throttled => Line::from("429S").right_aligned(),
            Self::LastUsed => Line::from("LAST USED").right_aligned(),
            Self::LastError => Line::from("LAST ERROR"),
        }
    }

    /// What is in it.
    pub(super) fn cell<'a>(self, model: &'a Model, key: &'a KeyStats, width: u16) -> Line<'a> {
        match self {
            Self::Key => Line::from(rows::short(key.fingerprint, model.digits)),
            Self::Name => Line::from(rows::own_name(key)),
            Self::Group => Line::from(key.group.as_deref().unwrap_or_default()),
            Self::State => Line::styled(state(model, key), Style::new().fg(color(key.state))),
            Self::Health => health(key.health.factor(), width),
            Self::Calls => count(key.calls, width),
            Self::Recent => {
                let spark = model.history(key).map(|history| history.sparkline(usize::from(width), model.peak));
                Line::styled(spark.unwrap_or_default(), Style::new().fg(Color::Cyan))
            }
            Self::Failed => count(key.failures, width),
            Self::Throttled => count(key.throttled, width),
            Self::LastUsed => Line::from(ago(key.last_used, model.now)).right_aligned(),
            Self::LastError => Line::from(last_error(model, key, width)),
        }
    }
}

/// `cooling 4m 12s`.
fn state(model: &Model, key: &KeyStats) -> String {
    let left = left(rows::back_at(key), model.now);
    // The time left is what counts, and is short of room.
    let words = state_words(key.state).split(' ').next().unwrap_or_default();
    if left.is_empty() { state_words(key.state).to_owned() } else { format!("{words} {left}") }
}

/// `██▌░░  52%`.
fn health(factor: f64, width: u16) -> Line<'static> {
    let cells = usize::from(width.saturating_sub(5));
    let color = match factor {
        0.75.. => Color::Green,
        0.4.. => Color::Yellow,
        _ => Color::Red,
    };
    let bar = bar(factor, cells);
    let rest = "░".repeat(cells.saturating_sub(bar.chars().count()));
    Line::from(vec![
        Span::styled(bar, Style::new().fg(color)),
        Span::styled(rest, Style::new().add_modifier(Modifier::DIM)),
        Span::raw(format!(" {:>3.0}%", factor.clamp(0.0, 1.0) * 100.0)),
    ])
}

/// Eighths of a cell are drawn too.
fn bar(factor: f64, cells: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "from 0 to a few hundred"
    )]
    let eighths = (factor.clamp(0.0, 1.0) * (cells * 8) as f64).round() as usize;
    "█".repeat(eighths / 8) + PARTS[eighths % 8]
}

/// In full, or if there is no room in thousands, millions or more.
fn count(count: u64, width: u16) -> Line<'static> {
    let width = usize::from(width);
    let units = [(1, ""), (1_000, "k"), (1_000_000, "M"), (1_000_000_000, "G")];
    let in_units = |(unit, letter): (u64, &str)| number(count / unit) + letter;
    let text = units.into_iter().map(in_units).find(|text| text.len() <= width);
    Line::from(text.unwrap_or_else(|| in_units((1_000_000_000_000, "T")))).right_aligned()
}

/// `429 rate_limited`, and where there is room how long ago that was.
fn last_error(model: &Model, key: &KeyStats, width: u16) -> String {
    let Some(text) = rows::failure(key) else { return String::new() };
    let at = key.health.last_failure().map(|last| last.at);
    let with_time = format!("{text}, {}", ago(at, model.now));
    if with_time.len() <= usize::from(width) { with_time } else { text }
}

/// What keys are sorted by, in the title of the table.
pub(super) fn sort_name(sort: Sort) -> &'static str {
    match sort {
        Sort::Given => "order in which they were given",
        Sort::State => "state",
        Sort::Health => "health",
        Sort::Rate => "calls in the last minute",
        Sort::Calls => "calls",
        Sort::Errors => "failures",
        Sort::Throttled => "429s",
        Sort::LastUsed => "last use",
        Sort::Label => "label",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_eighths() {
        assert_eq!(
            [0.0, 0.25, 0.5, 0.51, 1.0, 7.0].map(|factor| bar(factor, 4)),
            ["", "█", "██", "██", "████", "████"]
        );
        assert_eq!([0.1, 0.55].map(|factor| bar(factor, 5)), ["▌", "██▊"]);
    }

    #[test]
    fn a_count_without_room_is_shortened() {
        let text = |number, width| count(number, width).to_string();
        assert_eq!(text(123_456, 7), "123,456");
        assert_eq!(text(1_234_567, 7), "1,234k");
        assert_eq!(text(u64::MAX, 7), "18,446,744T");
    }
}
