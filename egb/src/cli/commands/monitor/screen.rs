//! The terminal: full-screen while the monitor runs, and as it was afterwards, however that ends.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};

use super::Source;
use super::keystrokes;
use super::model::Model;
use super::view;
use crate::cli::failure::Failure;
use crate::cli::log;
use crate::clock::Clock;

/// The longest wait for a keystroke: news of the pool is shown then, even when the next look is far.
const NEWS: Duration = Duration::from_millis(250);

pub(super) fn run(mut model: Model, mut source: Source) -> Result<(), Failure> {
    let failed = |error| Failure::Terminal(error);
    // A panic restores it as well: this sets a hook.
    let mut terminal = ratatui::try_init().map_err(failed)?;
    let restore = Restore;
    let warnings = log::divert();
    let ended = termination()
        .and_then(|is_told_to_end| watch(&mut terminal, &mut model, &mut source, &is_told_to_end, &warnings));
    drop(restore);
    ended.map_err(failed)
}

/// Becomes true when the process is told to end, which must not leave the terminal as it is.
fn termination() -> io::Result<Arc<AtomicBool>> {
    let is_told_to_end = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&is_told_to_end))?;
    }
    Ok(is_told_to_end)
}

struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        log::to_stderr_again();
        ratatui::restore();
    }
}

fn watch(
    terminal: &mut DefaultTerminal,
    model: &mut Model,
    source: &mut Source,
    is_told_to_end: &AtomicBool,
    warnings: &log::Diverted,
) -> io::Result<()> {
    let mut next = source.clock.monotonic();
    while !is_told_to_end.load(Ordering::Relaxed) {
        if !model.is_paused && source.clock.monotonic() >= next {
            source.show(model);
            // From now: who was held up does not have to catch up.
            next = source.clock.monotonic() + model.interval;
        }
        source.tell(model);
        for warning in warnings.try_iter() {
            model.note(warning, source.clock.utc());
        }
        terminal.draw(|frame| {
            model.set_page(view::rows(frame.area()));
            view::draw(frame, model);
        })?;
        let until_next = next.saturating_sub(source.clock.monotonic());
        let wait = if model.is_paused { NEWS } else { until_next.min(NEWS) };
        if !heed(model, wait)? {
            break;
        }
    }
    Ok(())
}

/// Waits for a keystroke, and does what that and those that wait behind it ask for. Returns whether to go on.
fn heed(model: &mut Model, wait: Duration) -> io::Result<bool> {
    let mut wait = wait;
    while event::poll(wait)? {
        if let Event::Key(key) = event::read()?
            && let Some(wish) = keystrokes::wish(model.mode, key)
            && !model.obey(wish)
        {
            return Ok(false);
        }
        wait = Duration::ZERO;
    }
    Ok(true)
}
