//! `egb check`: calls the provider with each key, tells the pool what it learned, and prints it. A network that is down
//! changes nothing, and a wrong provider or address nothing unasked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::balancer::Balancer;
use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::open::Setup;
use crate::cli::{find, log, rows};
use crate::clock::system_utc;
use crate::key::Key;
use crate::outcome::Verdict;
use crate::stats::{KeyState, KeyStats};

mod call;
mod print;
mod target;

use call::{Answer, Caller, Finding};
use print::Checked;
use target::{Header, Provider, Target};

const EXAMPLES: &str = "\
Examples:
  egb check --provider gemini --keys-file keys.txt
  egb check --provider openai work-1 3f9a --dry-run
  egb check --provider anthropic --enable --jobs 2
  egb check --url https://api.example.com/v1/me --header 'X-Api-Key: {key}'

Exit codes: 0 a key works, 1 a key got no answer or an unclear one, 3 no key works. If none works and several would be
taken out or set back, that is more likely a wrong address than all keys: nothing is changed then without --yes.";

/// Call the provider with each key, and tell the pool what it says
///
/// It asks for the list of models, which costs nothing, with the keys whose text is known here: those of the keys file, of
/// `EGB_KEYS`, and those that were added. What is learned of a key changes its state as a call of a program would: a revoked
/// one is disabled everywhere within a second.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only these keys: a label, a fingerprint or the beginning of one
    #[arg(value_name = "KEY")]
    names: Vec<String>,
    /// Whose keys they are
    #[arg(short, long, value_enum)]
    provider: Option<Provider>,
    /// An address to GET; with --provider, the address of a server that stands in for it
    #[arg(short, long)]
    url: Option<String>,
    /// A header, with {key} where the key goes; else the provider's, or `Authorization: Bearer {key}`
    #[arg(short = 'H', long = "header", value_name = "'NAME: VALUE'")]
    headers: Vec<Header>,
    /// Calls at once
    #[arg(short, long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Seconds that a call may take
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Change nothing, and say what would be changed
    #[arg(long)]
    dry_run: bool,
    /// Enable disabled keys that work
    #[arg(long)]
    enable: bool,
    /// Tell the pool of the answers even if no key works
    #[arg(short, long)]
    yes: bool,
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    let target = Target::new(args)?;
    let edited;
    let balancer = if args.dry_run {
        setup.look()?
    } else {
        edited = setup.edit()?;
        &edited
    };
    let stats = balancer.stats();
    let keys: Vec<&KeyStats> =
        if args.names.is_empty() { stats.keys.iter().collect() } else { find::keys(&stats, &args.names)? };
    if target.is_overheard() {
        setup.output.note("the address begins with http: the keys cross the network in the clear");
    }
    let warnings = log::divert();
    let caller = Caller::new(target.clone(), Duration::from_secs(args.timeout));
    let answers = call_all(&keys, balancer, &caller, args);
    log::to_stderr_again();
    warnings.try_iter().for_each(|warning| eprintln!("{warning}"));
    let foreseen = print::foresee(keys, answers, args, system_utc());
    let is_withheld = !args.dry_run && !args.yes && is_doubtful(&foreseen);
    let is_applied = !args.dry_run && !is_withheld;
    let checked = if is_applied {
        foreseen.iter().for_each(|checked| tell(balancer, checked, args.enable));
        balancer.flush()?;
        print::with_what_became_of(foreseen, &balancer.stats(), system_utc())
    } else {
        foreseen
    };
    let digits = rows::digits(stats.keys.iter().map(|key| key.fingerprint));
    print::Printer { target: &target, args, is_applied }.print(&checked, digits, setup)?;
    if is_withheld {
        setup.output.note(
            "no key works: a wrong provider or address? Nothing was changed; --yes applies what was found all the same",
        );
        return Ok(Ending::NoUsableKey);
    }
    Ok(ending(&checked))
}

/// Whether the answers speak against the address rather than against the keys: none works, and several would be worse off.
fn is_doubtful(foreseen: &[Checked<'_>]) -> bool {
    let works = foreseen.iter().any(|checked| checked.answer.finding == Finding::Works);
    !works && foreseen.iter().filter(|checked| checked.is_worse_off()).count() > 1
}

/// Calls with all keys, so many at a time; the answers are in the order of the keys.
fn call_all(keys: &[&KeyStats], balancer: &Balancer, caller: &Caller, args: &Args) -> Vec<Answer> {
    let next = AtomicUsize::new(0);
    let (sender, answers) = mpsc::channel();
    let bar = progress(keys.len());
    thread::scope(|threads| {
        for _ in 0..usize::from(args.jobs).min(keys.len()) {
            let (sender, next) = (sender.clone(), &next);
            threads.spawn(move || {
                while let place = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(key) = keys.get(place)
                    // It fails when nobody waits for it any more.
                    && sender.send((place, check(key, balancer, caller))).is_ok()
                {}
            });
        }
        drop(sender);
        let mut placed: Vec<(usize, Answer)> = answers.into_iter().inspect(|_| bar.inc(1)).collect();
        bar.finish_and_clear();
        placed.sort_unstable_by_key(|(place, _)| *place);
        placed.into_iter().map(|(_, answer)| answer).collect()
    })
}

/// On stderr, and only if that is a terminal.
fn progress(keys: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("checking {wide_bar} {pos} of {len} keys");
    ProgressBar::new(keys as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn check(key: &KeyStats, balancer: &Balancer, caller: &Caller) -> Answer {
    let text = balancer.pool().key(key.fingerprint).filter(Key::has_text);
    text.map_or_else(|| Answer::skipped("its text is not known here; give the keys file"), |text| caller.call(&text))
}

/// Tells the pool of an answer. Of a disabled key that works it hears if it is to be enabled, and nothing else.
fn tell(balancer: &Balancer, checked: &Checked<'_>, enable: bool) {
    let Some(key) = balancer.pool().key(checked.before.fingerprint) else { return };
    let is_disabled = checked.before.state == KeyState::Disabled;
    match checked.answer.verdict {
        Verdict::Neutral => {}
        Verdict::Success if is_disabled && !enable => {}
        Verdict::Success if is_disabled => {
            // The flush at the end tells when it is not on disk.
            let _ = balancer.enable(&key);
        }
        _ => balancer.report(&key, checked.answer.verdict.clone()),
    }
}

fn ending(checked: &[Checked<'_>]) -> Ending {
    let found = |finding| checked.iter().any(|checked| checked.answer.finding == finding);
    if found(Finding::NoAnswer) || found(Finding::Unclear) {
        Ending::Failed
    } else if found(Finding::Works) {
        Ending::Fine
    } else {
        Ending::NoUsableKey
    }
}
