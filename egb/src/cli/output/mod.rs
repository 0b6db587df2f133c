//! Printing: results on stdout, as text or JSON; errors, hints and notes on stderr. Colours are for terminals alone.

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::failure::Failure;

pub(crate) mod file;
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

    /// Prints what is not to be changed.
    pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Failure::Output)
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

    /// Tells that not all keys were shown.
    pub(crate) fn note_cut(self, shown: usize, total: usize) {
        if shown < total {
            self.note(&format!("{} of {} keys", style::number(shown as u64), style::number(total as u64)));
        }
    }

    /// Tells on stderr what is good to know and no result.
    #[expect(clippy::unused_self, reason = "what is printed is said by the one who knows how to")]
    pub(crate) fn note(self, text: &str) {
        // Nobody is there to be told when that fails.
        let (hint, text) = (style::HINT, shown(text));
        let _ = writeln!(anstream::stderr(), "{hint}note:{hint:#} {text}");
    }
}

/// A text that others chose, a file's name or a server's message, without what a terminal would obey.
pub(crate) fn shown(text: &str) -> String {
    let escaped = |char: char| if char.is_control() { char.escape_default().to_string() } else { char.to_string() };
    text.chars().map(escaped).collect()
}

/// A path, as [`shown`].
pub(crate) fn shown_path(path: &Path) -> String {
    shown(&path.display().to_string())
}

/// Prints what went wrong, and what to do about it, but for names that are not to be repeated.
pub(crate) fn error(failure: &Failure, unnamed: &[String]) {
    let told = |text: &str| {
        let text = unnamed.iter().fold(text.to_owned(), |text, name| text.replace(name.as_str(), "…"));
        text.lines().map(shown).collect::<Vec<_>>().join("\n")
    };
    let (hint, failure) = (failure.hint().map(|hint| told(&hint)), told(&failure.to_string()));
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let mut text = format!("{}error:{} {failure}\n", red.render(), red.render_reset());
    let hint = hint.map(|hint| format!("{}hint:{} {hint}\n", style::HINT.render(), style::HINT.render_reset()));
    text.push_str(&hint.unwrap_or_default());
    // Nobody is there to be told when that fails.
    let _ = anstream::stderr().write_all(text.as_bytes());
}

/// Asks on the terminal, and takes all but a yes for a no. Where there is no terminal it is an error with a hint.
pub(crate) fn ask(question: &str, hint: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("there is no terminal to ask whether you are sure", hint));
    }
    let terminal = |error| Failure::File { path: "terminal".into(), what: "ask", error };
    write!(io::stderr(), "{question} [y/N] ").map_err(terminal)?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(terminal)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
