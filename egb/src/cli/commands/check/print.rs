//! What was found, as a table and as JSON, with what that did to each key.

use std::time::SystemTime;

use comfy_table::{Cell, Color};
use serde::Serialize;

use super::Args;
use super::call::{Answer, Finding};
use super::target::{Provider, Target};
use crate::cli::failure::Failure;
use crate::cli::open::Setup;
use crate::cli::output::style::{number, state_name};
use crate::cli::output::time::{Utc, left};
use crate::cli::output::{Output, table};
use crate::cli::rows;
use crate::clock::system_utc;
use crate::health::Health;
use crate::key::ByFingerprint;
use crate::policy::Policy;
use crate::stats::{KeyState, KeyStats, Stats};

/// A key with what was found of it.
pub(super) struct Checked<'a> {
    pub(super) before: &'a KeyStats,
    pub(super) answer: Answer,
    health: Health,
    effect: Effect,
}

/// What the check did to a key, or would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Effect {
    None,
    Disabled,
    Enabled,
    /// It rests, or rests longer.
    Cooldown,
    /// Its share of traffic is smaller, or larger.
    Health,
}

impl Effect {
    fn between(before: &Health, after: &Health, now: SystemTime) -> Self {
        let is_longer = after.cooldown_until() > before.cooldown_until() && after.cooldown_until() > Some(now);
        match (before.is_disabled(), after.is_disabled()) {
            (false, true) => Self::Disabled,
            (true, false) => Self::Enabled,
            (false, false) if is_longer => Self::Cooldown,
            (false, false) if after.factor() != before.factor() => Self::Health,
            _ => Self::None,
        }
    }
}

/// Joins keys and answers, with what the default policy makes of them.
pub(super) fn foresee<'a>(
    keys: Vec<&'a KeyStats>,
    answers: Vec<Answer>,
    args: &Args,
    now: SystemTime,
) -> Vec<Checked<'a>> {
    let foreseen = keys.into_iter().zip(answers).map(|(before, answer)| {
        let works_disabled = before.state == KeyState::Disabled && answer.finding == Finding::Works;
        let health = match works_disabled {
            true if args.enable => Health::new(before.health.weight()),
            true => before.health.clone(),
            false => Policy::default().next(&before.health, &answer.verdict, now),
        };
        let effect = Effect::between(&before.health, &health, now);
        Checked { before, answer, health, effect }
    });
    foreseen.collect()
}

/// The same, with what the pool made of the answers.
pub(super) fn with_what_became_of<'a>(foreseen: Vec<Checked<'a>>, after: &Stats, now: SystemTime) -> Vec<Checked<'a>> {
    let after: ByFingerprint<&KeyStats> = after.keys.iter().map(|key| (key.fingerprint, key)).collect();
    let became = foreseen.into_iter().map(|checked| {
        let before = checked.before;
        let health = after.get(&before.fingerprint).map_or(&before.health, |key| &key.health).clone();
        Checked { effect: Effect::between(&before.health, &health, now), health, ..checked }
    });
    became.collect()
}

impl Checked<'_> {
    /// A key that is out and need not be.
    fn is_waiting(&self) -> bool {
        self.answer.finding == Finding::Works && self.health.is_disabled()
    }

    /// Whether it is out, rests or gets less than before.
    pub(super) fn is_worse_off(&self) -> bool {
        match self.effect {
            Effect::Disabled | Effect::Cooldown => true,
            Effect::Health => self.health.factor() < self.before.health.factor(),
            Effect::Enabled | Effect::None => false,
        }
    }

    fn effect_words(&self, is_applied: bool, digits: usize, now: SystemTime) -> String {
        let would_be = if is_applied { "" } else { "would be " };
        match self.effect {
            Effect::Disabled => format!("{would_be}disabled"),
            Effect::Enabled => format!("{would_be}enabled"),
            Effect::Cooldown => {
                let rests = if is_applied { "rests" } else { "would rest" };
                format!("{rests} {}", left(self.health.cooldown_until(), now))
            }
            Effect::Health => format!("health {would_be}{:.0}%", self.health.factor() * 100.0),
            Effect::None if self.is_waiting() => {
                format!("egb enable {}", rows::short(self.before.fingerprint, digits))
            }
            Effect::None if self.before.state == KeyState::Disabled => "stays disabled".to_owned(),
            Effect::None => "-".to_owned(),
        }
    }
}

#[derive(Serialize)]
struct CheckJson<'a> {
    at: Utc,
    provider: Option<&'static str>,
    url: String,
    dry_run: bool,
    /// Whether the pool was told.
    applied: bool,
    summary: Summary,
    keys: Vec<KeyJson<'a>>,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Summary {
    total: usize,
    works: usize,
    refused: usize,
    throttled: usize,
    unclear: usize,
    no_answer: usize,
    skipped: usize,
}

impl Summary {
    fn of(checked: &[Checked<'_>]) -> Self {
        let mut summary = Self::default();
        for checked in checked {
            summary.total += 1;
            *match checked.answer.finding {
                Finding::Works => &mut summary.works,
                Finding::Refused => &mut summary.refused,
                Finding::Throttled => &mut summary.throttled,
                Finding::Unclear => &mut summary.unclear,
                Finding::NoAnswer => &mut summary.no_answer,
                Finding::Skipped => &mut summary.skipped,
            } += 1;
        }
        summary
    }

    fn words(self) -> String {
        let parts = [
            (self.works, "work"),
            (self.refused, "refused"),
            (self.throttled, "throttled"),
            (self.unclear, "unclear"),
            (self.no_answer, "without an answer"),
            (self.skipped, "skipped, as their text is not known here"),
        ];
        let there = parts.into_iter().filter(|(many, _)| *many > 0);
        let words: Vec<String> = there.map(|(many, what)| format!("{} {what}", number(many as u64))).collect();
        let keys = if self.total == 1 { "key" } else { "keys" };
        let words = if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) };
        format!("{} {keys}{words}", number(self.total as u64))
    }
}

#[derive(Serialize)]
struct KeyJson<'a> {
    fingerprint: String,
    masked: &'a str,
    label: Option<&'a str>,
    verdict: Finding,
    status: Option<u16>,
    reason: Option<&'static str>,
    message: Option<&'a str>,
    milliseconds: Option<u64>,
    /// Before the check.
    state: &'static str,
    effect: Effect,
    disabled: bool,
    cooldown_until: Option<Utc>,
    health: f64,
}

/// What a check was, and how it is printed.
pub(super) struct Printer<'a> {
    pub(super) target: &'a Target,
    pub(super) args: &'a Args,
    /// Whether the pool was told; else what is printed is what would be.
    pub(super) is_applied: bool,
}

impl Printer<'_> {
    pub(super) fn print(&self, checked: &[Checked<'_>], digits: usize, setup: &Setup) -> Result<(), Failure> {
        let (now, summary) = (system_utc(), Summary::of(checked));
        if setup.output.is_json() {
            return Output::json(&CheckJson {
                at: Utc(now),
                provider: self.target.provider.map(Provider::name),
                url: self.target.shown_url(),
                dry_run: self.args.dry_run,
                applied: self.is_applied,
                summary,
                keys: checked.iter().map(key_json).collect(),
            });
        }
        let mut text = String::new();
        if !checked.is_empty() {
            text += &table_of(checked, digits, self.is_applied, now);
            text.push('\n');
        }
        text += &(summary.words() + "\n");
        Output::text(&text)?;
        hints(checked, summary, self.args, setup)
    }
}

fn key_json<'a>(checked: &'a Checked<'_>) -> KeyJson<'a> {
    let Checked { before, answer, health, effect } = checked;
    KeyJson {
        fingerprint: before.fingerprint.to_string(),
        masked: &before.masked,
        label: before.label.as_deref(),
        verdict: answer.finding,
        status: answer.status,
        reason: answer.reason,
        message: answer.message.as_deref(),
        milliseconds: answer.took.map(milliseconds),
        state: state_name(before.state),
        effect: *effect,
        disabled: health.is_disabled(),
        cooldown_until: health.cooldown_until().map(Utc),
        health: health.factor(),
    }
}

fn milliseconds(took: std::time::Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

fn table_of(checked: &[Checked<'_>], digits: usize, is_applied: bool, now: SystemTime) -> String {
    let mut table = table::table(&["KEY", "~NAME", "VERDICT", "STATUS", "REASON", ">MS", "EFFECT"]);
    for checked in checked {
        let (key, answer) = (checked.before, &checked.answer);
        let color = match answer.finding {
            Finding::Works => Color::Green,
            Finding::Refused => Color::Red,
            _ => Color::Yellow,
        };
        let cells = vec![
            Cell::new(rows::short(key.fingerprint, digits)),
            Cell::new(rows::own_name(key)),
            Cell::new(answer.finding.words()).fg(color),
            Cell::new(answer.status.map_or("-".to_owned(), |status| status.to_string())),
            Cell::new(answer.reason.unwrap_or("-")),
            Cell::new(answer.took.map_or("-".to_owned(), |took| number(milliseconds(took)))),
            Cell::new(checked.effect_words(is_applied, digits, now)),
        ];
        table::add(&mut table, cells);
    }
    table::text(&table)
}

/// What to do next.
fn hints(checked: &[Checked<'_>], summary: Summary, args: &Args, setup: &Setup) -> Result<(), Failure> {
    let waiting = checked.iter().filter(|checked| checked.is_waiting()).count();
    if waiting > 0 && !args.enable {
        let (are, them) = if waiting == 1 { ("1 disabled key works", "it") } else { ("disabled keys work", "them") };
        let are = if waiting == 1 { are.to_owned() } else { format!("{waiting} {are}") };
        setup.output.note(&format!("{are}; `egb enable KEY` or `egb check --enable` puts {them} back in use"));
    }
    let message_of = |finding: Finding| {
        let first = checked.iter().find(|checked| checked.answer.finding == finding);
        first.and_then(|checked| checked.answer.message.as_deref()).unwrap_or_default()
    };
    if summary.no_answer > 0 {
        let message = message_of(Finding::NoAnswer);
        setup.output.note(&format!("keys without an answer are left as they were; the first failed with: {message}"));
    }
    if summary.unclear > 0 {
        let is_unclear = |checked: &&Checked<'_>| checked.answer.finding == Finding::Unclear;
        let costs = checked.iter().filter(is_unclear).any(Checked::is_worse_off);
        let what = if costs {
            "a server that fails costs the key health"
        } else {
            "an unclear answer says nothing of the key"
        };
        setup.output.note(&format!("{what}; the first answer is: {}", message_of(Finding::Unclear)));
    }
    if summary.skipped > 0 && setup.lacks_seal()? {
        setup.output.note("keys in the database are sealed; --passphrase-file or --key-file opens them, to be checked");
    }
    Ok(())
}
