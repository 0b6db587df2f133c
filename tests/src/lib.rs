//! A fake Gemini API: a real HTTP server on this host that counts what each key receives, keeps
//! Google's quotas and answers with Google's error bodies. Tests and examples share it; it knows
//! nothing of egb.
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

mod body;
mod clock;
mod quota;
mod server;
mod state;

pub use clock::ServerClock;
pub use quota::Quota;
pub use server::{FakeGemini, FakeGeminiBuilder};
pub use state::{Received, Request};

/// The README's examples compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
