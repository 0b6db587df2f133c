//! `egb add`: one key into the database. Its text is read from stdin or asked for, and never taken from the command line.

use std::io::{self, BufRead as _, IsTerminal as _};

use serde::Serialize;
use zeroize::Zeroizing;

use crate::builder;
use crate::cli::Ending;
use crate::cli::failure::Failure;
use crate::cli::open::Setup;
use crate::cli::rows;
use crate::config::KeyConfig;
use crate::key::{Fingerprint, Key};
use crate::keyfile;
use crate::store::{Import, Imported, Store as _};

const EXAMPLES: &str = "\
Examples:
  egb add                                      asks for the key, unseen
  egb add --label work-3 --group work --rpm 60
  printenv GEMINI_API_KEY | egb add -          reads it
  pass show gemini | egb add - --weight 2

The key is not taken from the command line, where the shell's history keeps it and other users see it.
A key that is in the pool already gets the settings that are given; others stay as they are.
All programs that use the database call with the key within a second.";

/// Add a key, which is asked for or read from stdin
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// `-` reads the key from stdin; without it, it is asked for
    #[arg(value_name = "-")]
    from: Option<String>,
    /// Its share of traffic, compared to other keys [default: 1]
    #[arg(long, value_name = "W", value_parser = super::weight::parse)]
    weight: Option<f64>,
    /// A name to show, and to address it by
    #[arg(long, value_name = "NAME")]
    label: Option<String>,
    /// The project whose keys share a quota
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Requests a minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rpm: Option<u32>,
    /// Requests a day
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rpd: Option<u32>,
    /// Tokens a minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    tpm: Option<u32>,
    /// Calls at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: Option<u32>,
    /// Where it came from, for `egb list --group-by source`
    #[arg(long, value_name = "NAME", default_value = "manual")]
    source: String,
}

#[derive(Serialize)]
struct AddedJson<'a> {
    outcome: &'static str,
    fingerprint: String,
    masked: String,
    label: Option<&'a str>,
    group: Option<&'a str>,
    weight: f64,
}

pub(crate) fn run(args: &Args, setup: &Setup) -> Result<Ending, Failure> {
    let key = read_key(args.from.as_deref())?;
    let names = keyfile::check_names(args.label.as_deref(), args.group.as_deref(), key.expose_secret());
    names.map_err(|problem| Failure::Usage { problem: format!("the label or group {problem}"), hint: None })?;
    super::import::check_source(&args.source, [&key])?;
    builder::check(&KeyConfig::new(&key))?;
    let mut db = setup.make_db()?;
    let added = db.added_keys()?.unwrap_or_default();
    let known = added.iter().find(|config| config.key == key).cloned();
    let was_disabled = known.is_none() && db.is_disabled(key.fingerprint())?;
    let config = args.applied_to(known.unwrap_or_else(|| KeyConfig::new(&key)));
    let is_key = |name: &Fingerprint| added.iter().any(|config| config.key.fingerprint() == *name);
    if keyfile::key_in_names(&config, is_key).is_some() {
        return Err(builder::repeats_another(&config).into());
    }
    let import = Import { configs: std::slice::from_ref(&config), source: &args.source, file: None };
    let outcome = match db.import(import, |_| ())? {
        Imported { new: 1.., .. } => "added",
        Imported { updated: 1.., .. } => "updated",
        Imported { .. } => "unchanged",
    };
    let json = AddedJson {
        outcome,
        fingerprint: key.fingerprint().to_string(),
        masked: key.masked(),
        label: config.label_text(),
        group: config.group_name(),
        weight: config.terms.weight,
    };
    let name = rows::named(key.fingerprint(), config.label_text());
    setup.output.result(&json, || format!("{outcome} {name}\n"))?;
    if was_disabled {
        setup.output.note("it was known and disabled, and is enabled again; `egb check` tells whether it works");
    }
    setup.note_if_given(&[key.fingerprint()])?;
    Ok(Ending::Fine)
}

impl Args {
    /// The settings that are given, and others as they were.
    fn applied_to(&self, mut config: KeyConfig) -> KeyConfig {
        config = self.weight.into_iter().fold(config, KeyConfig::weight);
        config = self.rpm.into_iter().fold(config, KeyConfig::rpm);
        config = self.rpd.into_iter().fold(config, KeyConfig::rpd);
        config = self.tpm.into_iter().fold(config, KeyConfig::tpm);
        config = self.concurrency.into_iter().fold(config, KeyConfig::concurrency);
        config.with_names(self.label.as_deref(), self.group.as_deref())
    }
}

fn read_key(from: Option<&str>) -> Result<Key, Failure> {
    const PIPE: &str = "pipe it: `printenv GEMINI_API_KEY | egb add -`, or run `egb add` and type it";
    let text = match from {
        Some("-") => read_line()?,
        Some(_) => {
            let problem = "a key is not taken from the command line: the shell keeps it in its history, and others see \
                           it in the list of processes";
            return Err(Failure::usage(problem, PIPE));
        }
        None if io::stdin().is_terminal() => {
            let typed = rpassword::prompt_password("Key (it is not shown): ");
            Zeroizing::new(typed.map_err(|error| Failure::refused(format!("can't ask for the key: {error}"), PIPE))?)
        }
        None => return Err(Failure::usage("there is no terminal to ask for the key", PIPE)),
    };
    match text.trim() {
        "" => Err(Failure::refused("there is no key to add: what was read is empty", PIPE)),
        key => Ok(Key::from(key)),
    }
}

/// The one line of stdin.
fn read_line() -> Result<Zeroizing<String>, Failure> {
    let mut stdin = io::stdin().lock();
    let (mut line, mut rest) = (Zeroizing::new(String::new()), Zeroizing::new(String::new()));
    let read = stdin.read_line(&mut line).and_then(|_| {
        while rest.trim().is_empty() && stdin.read_line(&mut rest)? > 0 {}
        Ok(())
    });
    read.map_err(Failure::file("stdin", "read the key"))?;
    if rest.trim().is_empty() {
        return Ok(line);
    }
    Err(Failure::refused("there is more than one line to read", "`egb import -` takes several keys, a line each"))
}
