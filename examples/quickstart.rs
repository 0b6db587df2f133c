//! The main job, offline: a fake Gemini server on this host, seven keys of which one is revoked, one
//! leaked, one throttled and one fails now and then, and 300 calls that are all answered.
//!
//! `cargo run --example quickstart`, twice: the second run remembers the first. The state lies in the
//! folder `egb-quickstart` among the temporary files, or where `EGB_QUICKSTART_DIR` says.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use comfy_table::{Cell, CellAlignment, Table, presets};
use egb::{Balancer, ErrorForKey, HttpError, Key, KeyState, KeyStats, StatusCode, balanced};
use egb_tests::{FakeGemini, Quota};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const CALLS: usize = 300;
const AT_ONCE: usize = 8;

/// Label, weight, key. Made up, and as long as real ones.
const KEYS: [(&str, f64, &str); 7] = [
    ("steady", 1.0, "AIzaSyDEMO-steady-00000000000000000-k1x"),
    ("double", 2.0, "AIzaSyDEMO-double-00000000000000000-m2y"),
    ("half", 0.5, "AIzaSyDEMO-half-0000000000000000000-p3z"),
    ("flaky", 1.0, "AIzaSyDEMO-flaky-000000000000000000-q4a"),
    ("throttled", 1.0, "AIzaSyDEMO-throttled-00000000000000-r5b"),
    ("revoked", 1.0, "AIzaSyDEMO-revoked-0000000000000000-s6c"),
    ("leaked", 1.0, "AIzaSyDEMO-leaked-00000000000000000-t7d"),
];

#[derive(Debug, thiserror::Error, StatusCode)]
enum GeminiError {
    #[error(transparent)]
    #[status(transparent)]
    Api(#[from] HttpError),
    #[error(transparent)]
    #[status(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] egb::Error),
}

/// Callers of this function see no key: the attribute hands it one, and learns from what comes back.
#[balanced(keys = 1, retries = 3)]
async fn generate(key: Key, client: &reqwest::Client, url: &str, prompt: &str) -> Result<String, GeminiError> {
    let body = json!({ "contents": [{ "parts": [{ "text": prompt }] }] });
    let response = client.post(url).header("x-goog-api-key", key.expose_secret()).json(&body).send().await?;
    let answer: Value = response.error_for_key().await?.json().await?;
    Ok(answer["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap_or_default().to_owned())
}

/// A sync function is balanced alike.
#[balanced(keys = 2)]
fn two_keys(keys: [Key; 2]) -> Result<String, egb::Error> {
    Ok(format!("{:?} and {:?}", keys[0], keys[1]))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = std::env::var_os("EGB_QUICKSTART_DIR")
        .map_or_else(|| std::env::temp_dir().join("egb-quickstart"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    let db = folder.join("keys.db");
    let is_second_run = db.exists();

    let server = start_server().await?;
    let keys_file = write_keys_file(&folder)?;
    let balancer = Balancer::builder().keys_file(&keys_file).db(&db).build()?;
    let _guard = egb::init(balancer.clone())?;

    println!("A fake Gemini API listens on {}, with quotas, a revoked key and a leaked one.", server.url());
    let remembered: Vec<KeyStats> = balancer.stats().keys.into_iter().filter(is_out).collect();
    for key in &remembered {
        println!("Remembered from the last run: {} ({}) is {}.", key.masked, name(key), describe(key));
    }
    println!("{CALLS} calls, {AT_ONCE} at a time:");
    let answered = make_calls(&server.generate_url("gemini-2.5-flash")).await?;
    println!("\n{answered} of {CALLS} calls were answered; callers saw no key and no error.");
    println!("A sync function with `keys = 2` got {}.\n", two_keys()?);

    print_table(&balancer, &server);
    for key in &remembered {
        let requests = received(&server, key);
        println!("{} was {} when this run began: {requests} requests with it since.", name(key), describe(key));
    }
    println!("\nThe state is in {}. It knows keys by fingerprint, not by text.", db.display());
    if is_second_run {
        println!("Counts go on from run to run. To start anew, delete {}.", folder.display());
    } else {
        println!("Run it again: the keys that are disabled now will not be tried, and the counts go on.");
    }
    Ok(())
}

async fn start_server() -> io::Result<FakeGemini> {
    let mut server = FakeGemini::builder().latency(Duration::from_millis(15));
    for (label, _, key) in KEYS {
        server = match label {
            "flaky" => server.failing_every(6, key),
            "throttled" => server.key_with(key, Quota::per_minute(10)),
            "revoked" => server.revoked(key),
            "leaked" => server.leaked(key),
            _ => server.key(key),
        };
    }
    server.start().await
}

fn write_keys_file(folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join("keys.txt");
    let mut text = "# key:weight, and a label to show\n".to_owned();
    for (label, weight, key) in KEYS {
        writeln!(text, "{key}:{weight} label={label}").expect("a string takes all");
    }
    fs::write(&path, text)?;
    Ok(path)
}

async fn make_calls(url: &str) -> anyhow::Result<usize> {
    let style = ProgressStyle::with_template("  {bar:40} {pos:>3}/{len} {elapsed}")?;
    let bar = ProgressBar::new(CALLS as u64).with_style(style);
    let client = reqwest::Client::new();
    let (mut running, mut answered) = (JoinSet::new(), 0);
    for call in 0..CALLS {
        if running.len() == AT_ONCE {
            answered += finished(running.join_next().await, &bar);
        }
        let (client, url) = (client.clone(), url.to_owned());
        running.spawn(async move { generate(&client, &url, &format!("question {call}")).await });
    }
    while !running.is_empty() {
        answered += finished(running.join_next().await, &bar);
    }
    bar.finish();
    Ok(answered)
}

type Finished = Option<Result<Result<String, GeminiError>, tokio::task::JoinError>>;

fn finished(call: Finished, bar: &ProgressBar) -> usize {
    bar.inc(1);
    match call {
        Some(Ok(Ok(_))) => 1,
        Some(Ok(Err(error))) => {
            bar.suspend(|| println!("  a call failed: {error}"));
            0
        }
        _ => 0,
    }
}

fn print_table(balancer: &Balancer, server: &FakeGemini) {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(["key", "label", "weight", "now", "calls", "failed", "health", "state"]);
    let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    for key in balancer.stats().keys {
        table.add_row([
            Cell::new(&key.masked),
            Cell::new(name(&key)),
            number(format!("{:.1}", key.health.weight())),
            number(received(server, &key).to_string()),
            number(key.calls.to_string()),
            number(key.failures.to_string()),
            number(format!("{:.0} %", 100.0 * key.health.factor())),
            Cell::new(describe(&key)),
        ]);
    }
    println!("{table}\n(now: what the server received in this run; calls and failures are over all runs)");
}

/// What the server received with this key in this run.
fn received(server: &FakeGemini, key: &KeyStats) -> usize {
    let made = KEYS.iter().find(|(label, ..)| key.label.as_deref() == Some(label));
    made.map_or(0, |(_, _, secret)| server.received(secret).total)
}

fn name(key: &KeyStats) -> &str {
    key.label.as_deref().unwrap_or("?")
}

fn is_out(key: &KeyStats) -> bool {
    matches!(key.state, KeyState::Disabled | KeyState::CoolingDown)
}

fn describe(key: &KeyStats) -> String {
    match key.state {
        KeyState::Disabled => "disabled".to_owned(),
        KeyState::CoolingDown => {
            let left = key.health.cooldown_until().and_then(|until| until.elapsed().err());
            format!("cooling {} s", left.map_or(0, |left| left.duration().as_secs()))
        }
        KeyState::HalfOpen => "to be probed".to_owned(),
        KeyState::Available => "available".to_owned(),
        KeyState::Busy => "busy".to_owned(),
        _ => "at its limit".to_owned(),
    }
}
