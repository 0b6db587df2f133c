//! A fake Gemini API: a real HTTP server on this host that counts what each key receives, keeps
//! Google's quotas and answers with Google's error bodies; and with OpenAI's and Anthropic's, where it is asked in
//! their ways. Tests and examples share it; it knows
//! nothing of egb. Beside it a [`simulation`] of many keys and callers.
//!
//! ```
//! use egb_tests::{FakeGemini, Quota};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! let server = FakeGemini::builder()
//!     .key("a-good-key")
//!     .key_with("a-slow-key", Quota::per_minute(10))
//!     .revoked("a-revoked-key")
//!     .start()
//!     .await?;
//! assert!(server.url().starts_with("http://127.0.0.1:"));
//! assert_eq!(server.received("a-good-key").total, 0);
//! # Ok(()) }
//! ```

mod clock;
#[cfg(feature = "harness")]
mod command;
mod dialect;
pub mod program;
mod quota;
#[cfg(feature = "harness")]
mod scratch;
mod server;
pub mod simulation;
mod state;

pub use clock::ServerClock;
#[cfg(feature = "harness")]
pub use command::{Egb, Printed};
pub use quota::Quota;
#[cfg(feature = "harness")]
pub use scratch::{SECRETS, Scratch, tempdir};
pub use server::{FakeGemini, FakeGeminiBuilder};
pub use state::{Received, Request};

/// Waits for what another thread is bound to do within a second or so.
///
/// # Panics
///
/// When it has not happened after 20 seconds.
pub fn eventually(what: &str, done: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !done() {
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "{what} did not happen");
        std::thread::yield_now();
    }
}

/// How many keys the program `until_killed` has: more than it ever gets disabled.
pub const KILLED_KEYS: u32 = 3_000;

/// One of its keys.
pub fn killed_key(number: u32) -> String {
    format!("AIzaSyFAKE_killed_{number:05}_0123456789")
}

/// A key of the program `obedient`: the label is what follows the last underscore.
pub fn obedient_key(label: &str) -> String {
    format!("AIzaSyFAKE_obedient_0123456789_{label}")
}

/// The README's examples compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
