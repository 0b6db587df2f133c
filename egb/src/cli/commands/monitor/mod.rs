//! `egb monitor`: the pool as it changes. Full-screen on a terminal (`screen.rs`), else a block of lines or of JSON for each
//! look (`plain.rs`); both show one model.

use std::io::IsTerminal;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

use crate::balancer::Balancer;
use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::open::Setup;
use crate::cli::output::shown_path;
use crate::clock::{Clock, SystemClock};
use crate::events::Events;

mod columns;
mod happening;
mod history;
mod keystrokes;
mod model;
mod plain;
mod screen;
#[cfg(test)]
mod testing;
mod view;

use model::{Model, Sort};

const EXAMPLES: &str = "\
Examples:
  egb monitor                                  full-screen; ? shows the keys to press
  egb monitor --sort errors --filter work      the same, sorted and filtered
  egb monitor --interval 10s > pool.log        a block of lines every ten seconds
  egb monitor --count 1                        a look, and the end
  egb monitor --json --interval 1m             a line of JSON every minute";

/// The fastest pace.
const FASTEST: Duration = Duration::from_millis(50);

/// Watch the pool live: calls, states, countdowns, events
///
/// On a terminal it fills the screen; elsewhere, and with --json or --count, it prints what it sees at each look. It sees
/// what all programs do that share the database, within a second.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// From one look to the next: 500ms, 2s, 1m
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    interval: Duration,
    /// The order of the keys
    #[arg(short, long, value_enum, default_value_t)]
    sort: Sort,
    /// Only keys in whose label, masked key, fingerprint, group, state or last error all of these words are
    #[arg(short, long, value_name = "WORDS", default_value = "")]
    filter: String,
    /// Print so many looks, and end
    #[arg(short, long, value_name = "N")]
    count: Option<u64>,
    /// Keys that are printed at each look
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    limit: usize,
}

fn interval(text: &str) -> Result<Duration, String> {
    let seconds = || text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let spoken = SignedDuration::from_str(text).ok().and_then(|span| Duration::try_from(span).ok());
    match spoken.or_else(seconds) {
        Some(interval) if interval >= FASTEST => Ok(interval),
        Some(_) => Err(format!("too fast; {} ms at least", FASTEST.as_millis())),
        None => Err("not a time; write 500ms, 2s or 1m".to_owned()),
    }
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    let source = Source::new(setup.live()?);
    let title = shown_path(&setup.db);
    let model = Model::new(title, args.interval, args.sort, args.filter.clone(), source.clock.utc());
    let has_terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if has_terminal && !setup.output.is_json() && args.count.is_none() {
        screen::run(model, source)?;
    } else {
        plain::run(model, source, args, setup)?;
    }
    Ok(Ending::Fine)
}

/// Where the model gets what it shows.
struct Source {
    balancer: Balancer,
    events: Events,
    clock: SystemClock,
}

impl Source {
    fn new(balancer: Balancer) -> Self {
        Self { events: balancer.subscribe(), balancer, clock: SystemClock::new() }
    }

    /// Tells the model of events that came since the last time.
    fn tell(&mut self, model: &mut Model) {
        let now = self.clock.utc();
        loop {
            match self.events.try_next() {
                Ok(Some(event)) => model.hear(&event, now),
                Ok(None) => return,
                Err(missed) => model.note(format!("{} events came too fast to be shown", missed.0), now),
            }
        }
    }

    /// Shows the model the pool as it is now.
    fn show(&mut self, model: &mut Model) {
        model.look(self.balancer.stats(), self.clock.monotonic(), self.clock.utc());
        self.tell(model);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_a_time_or_seconds() {
        let paces = ["1s", "500ms", "2", "0.5", "1m", "1m 30s"].map(|text| interval(text).unwrap().as_millis());
        assert_eq!(paces, [1_000, 500, 2_000, 500, 60_000, 90_000]);
        for bad in ["", "soon", "-1s", "10ms", "0", "nan", "1e400"] {
            assert!(interval(bad).is_err(), "{bad}");
        }
    }
}
