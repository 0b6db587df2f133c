//! The model as a picture: header, table of keys, what happened, and the line of keys to press. Only rows that are on
//! the screen are made.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Row, Table, Wrap};

use super::columns;
use super::happening::{Happening, Tone};
use super::keystrokes::HELP;
use super::model::{Mode, Model, Sort};
use crate::cli::output::style::{number, percent};
use crate::cli::output::time::{clock, span};
use crate::stats::KeyState;

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);

/// Where what is.
struct Areas {
    header: Rect,
    table: Rect,
    happenings: Rect,
    footer: Rect,
}

impl Areas {
    fn of(screen: Rect) -> Self {
        let happenings = match screen.height {
            0..16 => 0,
            height @ 16..30 => height / 4,
            height => height / 3,
        };
        let [header, table, happenings, footer] = Layout::vertical([
            Constraint::Length(3),
            Constraint::Min(0),
            Constraint::Length(happenings),
            Constraint::Length(1),
        ])
        .areas(screen);
        Self { header, table, happenings, footer }
    }
}

/// Rows of keys that a screen of this size has room for.
pub(super) fn rows(screen: Rect) -> usize {
    // A line for the title, and one for the names of the columns.
    usize::from(Areas::of(screen).table.height.saturating_sub(2))
}

pub(super) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let areas = Areas::of(frame.area());
    header(frame, areas.header, model);
    table(frame, areas.table, model);
    happenings(frame, areas.happenings, model);
    footer(frame, areas.footer, model);
    if model.mode == Mode::Help {
        help(frame);
    }
}

fn header(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let [title, counts, speed] = Layout::vertical([Constraint::Length(1); 3]).areas(area);
    let state = if model.is_paused {
        Span::styled("PAUSED ", BOLD.fg(Color::Yellow))
    } else {
        Span::styled(format!("every {} ", pace(model.interval)), DIM)
    };
    let right = Line::from(vec![state, Span::raw(clock(model.now) + " UTC")]).right_aligned();
    let [left_area, right_area] =
        Layout::horizontal([Constraint::Min(0), Constraint::Length(width_of(&right))]).areas(title);
    let name = Line::from(vec![Span::styled("egb monitor ", BOLD), Span::styled(&*model.title, DIM)]);
    frame.render_widget(name, left_area);
    frame.render_widget(right, right_area);

    frame.render_widget(count_line(model), counts);

    let line = speed_line(model);
    let [text_area, spark_area] =
        Layout::horizontal([Constraint::Length(width_of(&line) + 2), Constraint::Min(0)]).areas(speed);
    frame.render_widget(line, text_area);
    let history = &model.flow.history;
    let spark = history.sparkline(usize::from(spark_area.width.min(60)), history.peak());
    frame.render_widget(Line::styled(spark, Style::new().fg(Color::Cyan)), spark_area);
}

fn count_line(model: &Model) -> Line<'_> {
    let count = &model.count;
    let parts = [
        (count.available, "available", Color::Green),
        (count.cooling_down, "cooling down", Color::Yellow),
        (count.limited, "at a limit", Color::Yellow),
        (count.busy, "busy", Color::Yellow),
        (count.disabled, "disabled", Color::Red),
    ];
    let keys = if count.total == 1 { "key" } else { "keys" };
    let mut spans = vec![Span::styled(format!("{} {keys}", number(count.total as u64)), BOLD)];
    for (many, what, color) in parts.into_iter().filter(|(many, ..)| *many > 0) {
        spans.push(Span::raw("  "));
        spans.push(Span::styled(format!("{} {what}", number(many as u64)), Style::new().fg(color)));
    }
    Line::from(spans)
}

fn speed_line(model: &Model) -> Line<'_> {
    let (calls, throttled) = model.flow.speed().unwrap_or_default();
    let success = model.flow.success_rate().map_or_else(|| "-".to_owned(), percent);
    let sums = model.flow.sums();
    Line::from(vec![
        Span::styled(format!("{calls:.1}"), BOLD),
        Span::raw(" calls/s  success "),
        Span::styled(success, BOLD),
        Span::raw("  429s "),
        Span::styled(format!("{throttled:.1}"), BOLD),
        Span::raw("/s, "),
        Span::styled(number(sums.throttled), BOLD),
        Span::raw(" of "),
        Span::styled(number(sums.calls), BOLD),
        Span::raw(" calls"),
    ])
}

fn table(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let (top, rows) = model.visible();
    let columns = columns::of(model, area.width);
    let rows: Vec<Row<'_>> =
        rows.map(|key| Row::new(columns.iter().map(|&(column, width)| column.cell(model, key, width)))).collect();
    let title = keys_title(model, top, rows.len());
    let block = Block::new().borders(Borders::TOP).border_style(DIM).title(title.0).title(title.1.right_aligned());
    if rows.is_empty() {
        let text = if model.keys.is_empty() {
            "There are no keys in the pool. `egb import FILE` puts some in."
        } else {
            "No key matches the filter. Esc ends it."
        };
        frame.render_widget(Paragraph::new(text).block(block), area);
        return;
    }
    let header = Row::new(columns.iter().map(|&(column, _)| column.title())).style(DIM);
    let widths = columns.iter().map(|&(_, width)| Constraint::Length(width));
    frame.render_widget(Table::new(rows, widths).header(header).column_spacing(1).block(block), area);
}

/// What is in the table: at its left, and at its right.
fn keys_title(model: &Model, top: usize, rows: usize) -> (Line<'static>, Line<'static>) {
    let reversed = if model.is_reversed { ", reversed" } else { "" };
    let by = match (model.sort, model.is_reversed) {
        (Sort::Given, false) => String::new(),
        (sort, _) => format!("by {}{reversed} ", columns::sort_name(sort)),
    };
    let filter = if model.filter.is_empty() { String::new() } else { format!("that match {:?} ", model.filter) };
    let [first, last, all] = [top + 1, top + rows, model.shown.len()].map(|number_| number(number_ as u64));
    let right = if rows == 0 { String::new() } else { format!(" {first}-{last} of {all}") };
    (Line::from(format!("keys {by}{filter}")), Line::from(right))
}

fn happenings(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let room = usize::from(area.height.saturating_sub(1));
    let lines: Vec<Line<'_>> = model.happenings.iter().rev().take(room).map(happening).collect();
    let block = Block::new().borders(Borders::TOP).border_style(DIM).title("events, the newest first ");
    let paragraph = if lines.is_empty() && room > 0 {
        Paragraph::new(Line::styled("none since the start", DIM))
    } else {
        Paragraph::new(lines)
    };
    // A warning may be longer than a line.
    frame.render_widget(paragraph.wrap(Wrap { trim: true }).block(block), area);
}

fn happening(happening: &Happening) -> Line<'_> {
    let style = match happening.tone {
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Plain => Style::new(),
        Tone::Warning => Style::new().fg(Color::Yellow),
        Tone::Bad => Style::new().fg(Color::Red),
    };
    let name = happening.name.as_deref().map(|name| format!("{name}  ")).unwrap_or_default();
    Line::from(vec![
        Span::styled(clock(happening.at) + "  ", DIM),
        Span::raw(name),
        Span::styled(&*happening.text, style),
    ])
}

fn footer(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    if model.mode == Mode::Filtering {
        let line = Line::from(vec![
            Span::styled("filter: ", BOLD),
            Span::raw(&*model.filter),
            Span::styled(" ", Style::new().add_modifier(Modifier::REVERSED)),
            Span::styled("   Enter keeps it, Esc ends it", DIM),
        ]);
        frame.render_widget(line, area);
        return;
    }
    let keys = [("q", "quit"), ("/", "filter"), ("s", "sort"), ("r", "reverse"), ("space", "pause"), ("?", "help")];
    let spans = keys.into_iter().flat_map(|(key, what)| {
        let what = if key == "space" && model.is_paused { "go on" } else { what };
        [Span::styled(key, BOLD), Span::styled(format!(" {what}   "), DIM)]
    });
    frame.render_widget(spans.collect::<Line<'_>>(), area);
}

fn help(frame: &mut Frame<'_>) {
    let lines: Vec<Line<'_>> = HELP
        .into_iter()
        .map(|(keys, what)| Line::from(vec![Span::styled(format!(" {keys:<14}"), BOLD), Span::raw(what)]))
        .collect();
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let area = frame.area().centered(Constraint::Max(66), Constraint::Max(height));
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" egb monitor: keys to press ")), area);
}

fn width_of(line: &Line<'_>) -> u16 {
    u16::try_from(line.width()).unwrap_or(u16::MAX)
}

fn pace(interval: std::time::Duration) -> String {
    if interval.subsec_nanos() == 0 { span(interval) } else { format!("{} ms", interval.as_millis()) }
}

/// The colour of a state.
pub(super) fn color(state: KeyState) -> Color {
    match state {
        KeyState::Available => Color::Green,
        KeyState::CoolingDown | KeyState::Limited { .. } | KeyState::Busy | KeyState::HalfOpen => Color::Yellow,
        KeyState::Disabled => Color::Red,
    }
}

#[cfg(test)]
mod tests;
