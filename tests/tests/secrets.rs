//! No key where it should not be: everything that a run with every kind of failure writes, logs or
//! prints is searched for the keys.

mod common;

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use common::{ApiError, ask};
use egb::{Balancer, Key, KeyConfig, balanced};
use egb_tests::{FakeGemini, Quota};
use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;

#[balanced(retries = 2)]
#[tracing::instrument]
async fn generate(key: Key, url: &str, prompt: &str) -> Result<String, ApiError> {
    tracing::info!(?key, "asking");
    ask(&reqwest::Client::new(), url, &key, prompt).await
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn with_sources(error: &dyn StdError) -> String {
    let mut text = format!("{error}\n{error:?}\n{error:#?}\n");
    if let Some(source) = error.source() {
        text.push_str(&with_sources(source));
    }
    text
}

/// Any nine characters of a key in a row, but for those that all of these keys share.
fn find(haystack: &[u8], keys: &[String]) -> Option<String> {
    keys.iter().find_map(|key| {
        let secret = &key.as_bytes()[10..];
        let piece = secret.windows(9).find(|piece| haystack.windows(9).any(|window| window == *piece))?;
        Some(String::from_utf8_lossy(piece).into_owned())
    })
}

#[tokio::test]
async fn no_key_in_any_log_debug_error_or_file() {
    let log = Captured::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);

    // Random-looking, so that no piece of one turns up by accident.
    let keys: Vec<String> = (0..6_u64)
        .map(|n| {
            let noise = |salt: u64| (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17).wrapping_mul(salt);
            format!("AIzaSyFAKE{:016x}{:013x}", noise(0xd134_2543_de82_ef95), noise(0xaf25_1af3_b0f0_25b5) >> 12)
        })
        .collect();
    let server = FakeGemini::builder()
        .key(&*keys[0])
        .revoked(&*keys[1])
        .leaked(&*keys[2])
        .suspended(&*keys[3])
        .key_with(&*keys[4], Quota::per_minute(1))
        .start()
        .await
        .unwrap();
    let url = format!("{}/v1beta/models/gemini-2.5-flash:generateContent", server.url());

    let dir = egb_tests::tempdir().unwrap();
    let db = dir.path().join("keys.db");
    let file = dir.path().join("keys.txt");
    fs::write(&file, keys.join("\n")).unwrap();
    let balancer = Balancer::builder().keys_file(&file).db(&db).build().unwrap();
    let mut seen = String::new();
    balancer
        .scope(async {
            for turn in 0..40 {
                match generate(&url, "hello").await {
                    Ok(answer) => seen.push_str(&answer),
                    Err(error) => seen.push_str(&with_sources(&error)),
                }
                if turn == 20 {
                    server.outage(true);
                }
            }
            let unreachable = generate("http://127.0.0.1:1/?key=none", "hello").await.unwrap_err();
            seen.push_str(&with_sources(&unreachable));
        })
        .await;
    // Without a retry that hides it: the answer that echoes its key.
    let suspended = Balancer::builder().key(&*keys[3]).build().unwrap();
    server.outage(false);
    let error = suspended.scope(async { generate(&url, "hello").await }).await.unwrap_err();
    seen.push_str(&with_sources(&error));
    write!(seen, "{balancer:?}{:?}{:#?}", balancer.lease(), balancer.stats()).unwrap();
    balancer.flush().unwrap();

    // Errors of the making, too.
    for bad in [format!("{}:0", keys[0]), format!("{0} {0}", keys[1]), format!("{}:{}", keys[2], keys[3])] {
        fs::write(&file, &bad).unwrap();
        seen.push_str(&with_sources(&Balancer::builder().keys_file(&file).build().unwrap_err()));
        seen.push_str(&with_sources(&Balancer::builder().key(bad.replace(':', " ")).build().unwrap_err()));
    }
    let twice = Balancer::builder().key(&*keys[0]).key(KeyConfig::new(&*keys[0]).weight(3.0)).build();
    seen.push_str(&with_sources(&twice.unwrap_err()));
    fs::remove_file(&file).unwrap();

    let log = log.0.lock().clone();
    assert!(String::from_utf8_lossy(&log).contains("asking"), "the log was captured");
    assert!(seen.contains("suspended"), "the answer that echoes its key was seen");
    assert_eq!(find(&log, &keys), None, "in the log");
    assert_eq!(find(seen.as_bytes(), &keys), None, "in an error, a Debug or an answer");
    let mut files = 0;
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(find(&fs::read(&path).unwrap(), &keys), None, "in {}", path.display());
        files += 1;
    }
    assert!(files >= 1);
    drop(balancer);
    assert!(find(format!("..{}..", &keys[5][12..30]).as_bytes(), &keys).is_some(), "the search finds a key");
    tokio::time::timeout(Duration::from_secs(5), async { drop(server) }).await.unwrap();
}
