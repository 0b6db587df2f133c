//! What the library logs, as lines on stderr: warnings always, more on request.

use std::fmt;
use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, Sender};

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::output::shown;

/// Where lines go in place of stderr, while something else is on the terminal.
static ELSEWHERE: Mutex<Option<Sender<String>>> = Mutex::new(None);

/// Prints what is at least as serious as asked for.
pub(crate) fn to_stderr(verbose: u8) {
    let level = match verbose {
        0 => Level::WARN,
        1 => Level::INFO,
        2 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let line = Line { changes: verbose > 0 };
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_writer(|| Out(Vec::new())).event_format(line);
    // A program that runs the command as a part of itself may have a subscriber already.
    let _ = tracing::subscriber::set_global_default(subscriber.finish());
}

/// Lines that are not printed.
pub(crate) type Diverted = Receiver<String>;

/// Hands over what would be printed, until [`to_stderr_again`]. What happens to keys is left out: who calls this shows it
/// in a way of its own.
pub(crate) fn divert() -> Diverted {
    let (sender, receiver) = mpsc::channel();
    *ELSEWHERE.lock() = Some(sender);
    receiver
}

pub(crate) fn to_stderr_again() {
    *ELSEWHERE.lock() = None;
}

/// One line, which goes where lines go when it is complete.
struct Out(Vec<u8>);

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        let line = String::from_utf8_lossy(&self.0);
        if line.is_empty() {
            return;
        }
        // When nobody is there to read it, it is lost.
        let _ = match &*ELSEWHERE.lock() {
            Some(sender) => sender.send(line.trim_end().to_owned()).map_err(io::Error::other),
            None => io::stderr().write_all(line.as_bytes()),
        };
    }
}

/// `warning: what happened (path=keys.db)`.
struct Line {
    /// Whether changes of keys are told: here they are what the command was asked to do.
    changes: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let is_told = self.changes && ELSEWHERE.lock().is_none();
        if !is_told && event.metadata().fields().field("key").is_some() {
            return Ok(());
        }
        let name = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        write!(writer, "{name}: {}", shown(&fields.message))?;
        if !fields.others.is_empty() {
            write!(writer, " ({})", shown(&fields.others.join(", ")))?;
        }
        writeln!(writer)
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<String>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else if field.name() != "event" {
            // Its name says what the message says.
            self.others.push(format!("{field}={value:?}"));
        }
    }
}
