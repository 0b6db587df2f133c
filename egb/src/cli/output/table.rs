//! Tables for people: no lines, columns that fit the terminal, and cells that are cut rather than wrapped.

use comfy_table::{Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, presets};

/// The width of what is no terminal.
const NO_TERMINAL: u16 = 80;

/// Begins a table that fits the terminal. A title that begins with `>` is of a column that is aligned to the right, one
/// with `~` of a column that may be cut.
pub(crate) fn table(titles: &[&str]) -> Table {
    let mut table = uncut(titles);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width());
    for (column, title) in table.column_iter_mut().zip(titles) {
        if !title.starts_with('~') {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table
}

/// As [`table`], however wide it gets.
pub(crate) fn uncut(titles: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).enforce_styling();
    let header =
        titles.iter().map(|title| Cell::new(title.trim_start_matches(['>', '~'])).add_attribute(Attribute::Dim));
    let mut header = Row::from(header.collect::<Vec<_>>());
    header.max_height(1);
    table.set_header(header);
    let last = titles.len() - 1;
    for (at, (column, title)) in table.column_iter_mut().zip(titles).enumerate() {
        column.set_padding((0, if at == last { 0 } else { 2 }));
        if title.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Columns there are to print in.
pub(crate) fn width() -> u16 {
    Table::new().width().filter(|width| *width > 0).unwrap_or(NO_TERMINAL)
}

/// Adds a row, of one line.
pub(crate) fn add(table: &mut Table, cells: Vec<Cell>) {
    let mut row = Row::from(cells);
    row.max_height(1);
    table.add_row(row);
}

/// The table, with no white space at the ends of lines.
pub(crate) fn text(table: &Table) -> String {
    const RESET: &str = "\u{1b}[0m";
    let trimmed = |line: String| {
        let line = line.trim_end();
        match line.strip_suffix(RESET) {
            Some(styled) => format!("{}{RESET}\n", styled.trim_end()),
            None => format!("{line}\n"),
        }
    };
    table.lines().map(trimmed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_no_white_space_at_their_ends() {
        let mut table = table(&["KEY", ">COUNT", "~NAME"]);
        add(&mut table, vec![Cell::new("a-long-one"), Cell::new(5), Cell::new("short")]);
        add(&mut table, vec![Cell::new("b"), Cell::new(1_000), Cell::new("by far the longest")]);
        table.set_width(60);
        let plain = anstream::adapter::strip_str(&text(&table)).to_string();
        assert_eq!(plain, "KEY         COUNT  NAME\na-long-one      5  short\nb            1000  by far the longest\n");
        table.set_width(30);
        let cut = anstream::adapter::strip_str(&text(&table)).to_string();
        assert!(cut.lines().all(|line| line.chars().count() <= 30) && cut.contains('…'), "{cut}");
        assert_eq!(cut.lines().count(), 3, "{cut}");
    }

    #[test]
    fn titles_are_cut_and_not_wrapped() {
        let mut table = table(&["KEY", "~SOURCE", "~GROUP"]);
        add(&mut table, vec![Cell::new("x".repeat(24)), Cell::new("keys.txt"), Cell::new("group")]);
        table.set_width(30);
        assert_eq!(text(&table).lines().count(), 2, "{table}");
    }
}
