//! Spread calls over many API keys.
//!
//! Anyone who calls a rate-limited HTTP API with more than one key needs the same things: a fair turn
//! for each key, a rest for one that is throttled, an end to one that is revoked, a memory of it all, and
//! no key in any log. egb gives them to any function:
//!
//! ```
//! use egb::{Balancer, Key, balanced};
//!
//! #[derive(Debug, thiserror::Error, egb::StatusCode)]
//! enum ApiError {
//!     #[error("the server answered {status}")]
//!     #[status(field = status)]
//!     Http { status: u16 },
//!     #[error(transparent)]
//!     #[status(transparent)]
//!     Balance(#[from] egb::Error),
//! }
//!
//! #[balanced(keys = 1, retries = 2)]
//! async fn ask(key: Key, question: &str) -> Result<String, ApiError> {
//!     // ... an HTTP call with `key.expose_secret()` ...
//!     # if key.expose_secret() == "a-revoked-key" { return Err(ApiError::Http { status: 401 }); }
//!     Ok(format!("an answer to {question}"))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ApiError> {
//! let keys = ["a-key", "another-key", "a-revoked-key"];
//! let _guard = egb::init(Balancer::builder().keys(keys).in_memory().build()?)?;
//! for _ in 0..10 {
//!     ask("why?").await?; // every call is answered; the revoked key is tried once
//! }
//! # Ok(()) }
//! ```
//!
//! # How a call goes
//!
//! The attribute takes `key` out of the public signature. Each call leases the key that was least
//! recently used, in proportion to the weights; runs the body; and reads from the result how it went:
//! `Ok` is a success, an error tells its HTTP status through [`StatusCode`]. The [`Policy`] turns that
//! [`Verdict`] into the key's next [`Health`]: a smaller share, a cooldown, the end. When the fault is
//! the key's or the server's and `retries` are left, another key gets the call.
//!
//! # Three ways to use it
//!
//! 1. A plain key: [`key()`], [`Balancer::key`]. Fetching counts as a success; [`Balancer::report`]
//!    says otherwise.
//! 2. Scoped: [`Balancer::with_keys`], [`Balancer::with_keys_async`], and the guard from
//!    [`Balancer::lease`], or from [`Balancer::checkout`] with a scope, a session or a time to wait.
//! 3. Decorated: [`macro@balanced`]. Inside such a call, however deep, [`key()`] is the key of that call.
//!
//! # Where things are set
//!
//! [`Balancer::builder`] takes keys from files, code and environment variables, and a database;
//! [`init`] makes the balancer the global one, [`register`] gives it a name. Without `init`, the first
//! use builds the global one from `EGB_KEYS_FILE` or `EGB_KEYS`, and `EGB_DB`. Tests take
//! [`Balancer::enter`] or [`Balancer::scope`], and a [`ManualClock`].
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `http` | yes | [`StatusCode`] for `http::StatusCode` and `http::Response` |
//! | `reqwest` | | [`StatusCode`] for `reqwest::Error` and `reqwest::Response`, `ErrorForKey` for the latter |
//! | `ureq` | | [`StatusCode`] for `ureq::Error`, `BlockingErrorForKey` for its responses |
//! | `hyper` | | [`StatusCode`] for `hyper::Error` and `hyper-util`'s, `ErrorForKey` for `http::Response` with any body |
//! | `tonic` | | [`StatusCode`] for `tonic::Status`, with the `google.rpc` details |
//! | `async-openai` | | [`StatusCode`] for `async_openai::error::OpenAIError` |
//! | `anyhow` | | [`StatusCode`] for `anyhow::Error` |
//! | `metrics` | | counters and gauges for the `metrics` facade |
//! | `seal` | | `Seal`: the keys that [`Balancer::add`] puts into the database are encrypted |
//! | `cli` | | the command `egb`, with which operators see and steer the keys (`cargo install --path egb --features cli`) |
//!
//! # Seeing it
//!
//! [`Balancer::stats`] is a picture of all keys, [`Balancer::subscribe`] a channel of changes ([`EventKind`]). The
//! same changes are `tracing` events of the target `egb`, named as [`EventKind::name`] says, with the fields `event`,
//! `key` (a fingerprint), `label`, `scope`, `reason`, `seconds`, `rpm`; calls that fail are `failed` (debug, with `status`
//! and `retry_after`), `keys_reloaded` and `reload_refused` tell of [watched](BalancerBuilder::watch) keys files, and at trace there are `checked_out`, `succeeded` and `ended`. The feature `metrics` counts
//! `egb_checkouts_total`, `egb_successes_total`, `egb_failures_total{reason}`, `egb_refusals_total` and
//! `egb_events_total{event}`, and shows `egb_keys`, `egb_keys_disabled` and `egb_keys_waiting` (cooling down, or at a limit) as they were at the last event.

mod attached;
mod balancer;
mod builder;
mod checkout;
#[cfg(feature = "cli")]
mod cli;
mod clock;
mod config;
mod context;
mod error;
mod events;
mod health;
mod key;
mod keyfile;
mod lease;
mod limits;
mod macros_rt;
mod others;
mod outcome;
mod policy;
mod pool;
mod registry;
mod reload;
mod schedule;
mod seldom;
#[cfg(all(test, egb_shuttle))]
mod shuttle_tests;
mod stats;
mod store;
mod sync;
#[cfg(test)]
mod test_log;
mod watch;

#[doc(hidden)]
pub mod __private {
    //! For the code that `#[balanced]` expands to.
    pub use crate::macros_rt::*;
}

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod __cli {
    //! For the command `egb`.
    pub use crate::cli::main;
}

pub use attached::Attached;
pub use balancer::Balancer;
pub use builder::BalancerBuilder;
pub use checkout::Checkout;
pub use clock::{Clock, ManualClock, Sleep, SystemClock};
pub use config::KeyConfig;
pub use context::{EnterGuard, Scoped};
#[doc = include_str!("manual/status_code.md")]
pub use egb_macros::StatusCode;

#[doc = include_str!("manual/balanced.md")]
pub use egb_macros::balanced;
pub use error::Error;
pub use events::{Event, EventKind, Events, Missed};
pub use health::{Health, LastFailure};
pub use key::{Fingerprint, FromKey, Key};
pub use keyfile::{BadLine, KeysFileError, KeysFileErrorKind};
pub use lease::Lease;
pub use limits::Limits;
#[cfg(feature = "ureq")]
pub use outcome::BlockingErrorForKey;
#[cfg(any(feature = "reqwest", feature = "hyper"))]
pub use outcome::ErrorForKey;
pub use outcome::{Failure, Header, HttpError, Reason, StatusCode, Verdict};
pub use policy::{Policy, Rule, When};
pub use pool::Reloaded;
pub use registry::{Guard, get, init, key, keys, register};
pub use stats::{KeyState, KeyStats, ScopeStats, SessionStats, Stats};
#[cfg(feature = "seal")]
pub use store::Seal;
pub use store::{StoreError, StoreErrorKind};
