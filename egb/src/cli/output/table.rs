//! Tables for people: no lines, columns that fit the terminal, and cells that are cut rather than wrapped.

use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Row, Table, presets};

/// The width of what is no terminal.
const NO_TERMINAL: u16 = 80;

/// Begins a table. Titles that begin with `>` are of columns that are aligned to the right.
pub(crate) fn table(titles: &[&str]) -> Table {
    let mut table = Table::new();
    let width = width();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width).enforce_styling();
    let header = titles.iter().map(|title| Cell::new(title.trim_start_matches('>')).add_attribute(Attribute::Dim));
    table.set_header(Row::from(header.collect::<Vec<_>>()));
    for (column, title) in table.column_iter_mut().zip(titles) {
        column.set_padding((0, 2));
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
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}
