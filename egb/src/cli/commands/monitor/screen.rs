//! The terminal: full-screen while the monitor runs, and as it was afterwards, however that ends.

use std::io;
use std::time::Duration;

use parking_lot::Mutex;
use ratatui::DefaultTerminal;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::execute;

use super::Source;
use super::keystrokes;
use super::model::Model;
use super::view;
use crate::cli::failure::Failure;
use crate::cli::log;
use crate::clock::Clock;

/// The longest wait for a keystroke: news of the pool is shown then, even when the next look is far.
const NEWS: Duration = Duration::from_millis(250);

/// Held by who writes to the terminal, so that nothing is drawn on one that was restored.
static DRAWING: Mutex<()> = Mutex::new(());

pub(super) fn run(mut model: Model, mut source: Source) -> Result<(), Failure> {
    let failed = |error| Failure::Terminal(error);
    #[cfg(unix)]
    end_on_signals().map_err(failed)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    end_with_terminal().map_err(failed)?;
    let begin = DRAWING.lock();
    // A panic restores it as well: this sets a hook.
    let mut terminal = ratatui::try_init().map_err(failed)?;
    drop(begin);
    let restore = Restore;
    let warnings = log::divert();
    let ended = watch(&mut terminal, &mut model, &mut source, &warnings);
    drop(restore);
    ended.map_err(failed)
}

/// Restores the terminal when the process is told to end, and ends it as the signal does. On a thread of its own: when the
/// terminal is gone, the one that waits for keystrokes never comes back.
#[cfg(unix)]
fn end_on_signals() -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

    /// A terminal that takes no text for so long is left as it is.
    const PATIENCE: Duration = Duration::from_secs(1);

    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGHUP, SIGINT, SIGQUIT])?;
    let end = move || {
        if let Some(signal) = signals.forever().next() {
            let last = DRAWING.try_lock_for(PATIENCE);
            if last.is_some() {
                restore();
            }
            // It does not come back from any of these signals.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    };
    std::thread::Builder::new().name("egb-signals".to_owned()).spawn(end)?;
    Ok(())
}

/// Takes the end of a terminal for the signal that comes with it, unless the terminal is not this process's own: waiting for
/// keystrokes would never end then, and keep a processor busy.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn end_with_terminal() -> io::Result<()> {
    use std::os::fd::AsFd;

    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    let wait = || {
        let stdin = io::stdin();
        // Nothing but its end.
        let mut end = [PollFd::new(stdin.as_fd(), PollFlags::empty())];
        while poll(&mut end, PollTimeout::NONE) == Err(Errno::EINTR) {}
        let _ = signal_hook::low_level::raise(signal_hook::consts::SIGHUP);
    };
    std::thread::Builder::new().name("egb-terminal".to_owned()).spawn(wait)?;
    Ok(())
}

/// The terminal as it was. One that is gone needs nothing.
fn restore() {
    let _ = ratatui::try_restore();
    let _ = execute!(io::stdout(), Show);
}

struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        log::to_stderr_again();
        restore();
    }
}

fn watch(
    terminal: &mut DefaultTerminal,
    model: &mut Model,
    source: &mut Source,
    warnings: &log::Diverted,
) -> io::Result<()> {
    let mut next = source.clock.monotonic();
    loop {
        if !model.is_paused && source.clock.monotonic() >= next {
            source.show(model);
            // From now: who was held up does not have to catch up.
            next = source.clock.monotonic() + model.interval;
        }
        source.tell(model);
        for warning in warnings.try_iter() {
            model.note(warning, source.clock.utc());
        }
        let drawing = DRAWING.lock();
        terminal.draw(|frame| {
            model.set_page(view::rows(frame.area()));
            view::draw(frame, model);
        })?;
        drop(drawing);
        let until_next = next.saturating_sub(source.clock.monotonic());
        let wait = if model.is_paused { NEWS } else { until_next.min(NEWS) };
        if !heed(model, wait)? {
            return Ok(());
        }
    }
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
