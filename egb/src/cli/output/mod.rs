//! Printing: results on stdout, as text or JSON; errors, hints and notes on stderr. Colours are for terminals alone.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::failure::Failure;

pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod time;

/// How results are printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a result: `json`, if that is asked for, or the text, which may hold colours.
    pub(crate) fn result(self, json: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json { Self::json(json) } else { Self::text(&text()) }
    }

    pub(crate) fn text(text: &str) -> Result<(), Failure> {
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::Output)
    }

    pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
        let mut stdout = io::BufWriter::new(io::stdout().lock());
        let written = serde_json::to_writer_pretty(&mut stdout, value).map_err(io::Error::from);
        written.and_then(|()| writeln!(stdout)).and_then(|()| stdout.flush()).map_err(Failure::Output)
    }

    /// JSON that is one of many, a line each.
    pub(crate) fn json_line(value: &impl Serialize) -> Result<(), Failure> {
        let mut stdout = io::BufWriter::new(io::stdout().lock());
        let written = serde_json::to_writer(&mut stdout, value).map_err(io::Error::from);
        written.and_then(|()| writeln!(stdout)).and_then(|()| stdout.flush()).map_err(Failure::Output)
    }

    /// Tells on stderr what is good to know and no result.
    pub(crate) fn note(self, text: &str) {
        // Nobody is there to be told when that fails.
        let _ = writeln!(anstream::stderr(), "{}note:{} {text}", style::HINT.render(), style::HINT.render_reset());
    }
}

/// Prints what went wrong, and what to do about it.
pub(crate) fn error(failure: &Failure) {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let mut text = format!("{}error:{} {failure}\n", red.render(), red.render_reset());
    if let Some(hint) = failure.hint() {
        text += &format!("{}hint:{} {hint}\n", style::HINT.render(), style::HINT.render_reset());
    }
    // Nobody is there to be told when that fails.
    let _ = anstream::stderr().write_all(text.as_bytes());
}
