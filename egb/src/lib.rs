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
//!    [`Balancer::lease`].
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
//! | `reqwest` | | [`StatusCode`] for `reqwest::Error` and `reqwest::Response` |
//! | `anyhow` | | [`StatusCode`] for `anyhow::Error` |

mod balancer;
mod builder;
mod clock;
mod config;
mod context;
mod error;
mod fields;
mod health;
mod key;
mod keyfile;
mod lease;
mod limits;
mod macros_rt;
mod outcome;
mod policy;
mod pool;
mod registry;
mod schedule;
mod stats;
mod store;

#[doc(hidden)]
pub mod __private {
    //! For the code that the macros expand to.
    pub use crate::fields::*;
    pub use crate::macros_rt::*;
}

pub use balancer::Balancer;
pub use builder::BalancerBuilder;
pub use clock::{Clock, ManualClock, SystemClock};
pub use config::KeyConfig;
pub use context::{EnterGuard, Scoped};
/// Implements [`trait@StatusCode`] for an error type: each variant says where its status comes from.
///
/// | attribute | on | meaning |
/// | --- | --- | --- |
/// | `#[status(429)]` | variant, struct | always this status |
/// | `#[status(field = name)]` | variant, struct | the field holds it: `u16`, `NonZeroU16`, `u32`, `i32`, `u64`, `i64`, `http::StatusCode`, or an `Option` of one; `field = 0` in a tuple |
/// | `#[status(transparent)]` | variant, struct | the wrapped error tells status, wait and reason; it may be in a `Box`, `Rc`, `Arc` or `Option` |
/// | `#[status(none)]` | variant, struct | it has none: judged as a call that got no answer |
/// | `reason = Variant` | in `#[status(..)]` | a [`Reason`] that the status does not give, as in `#[status(400, reason = InvalidKey)]` |
/// | `crate = path` | in `#[status(..)]` on the type | where egb is re-exported |
/// | `#[retry_after]` | field | how long the server asked to wait: a `Duration`, or the text of its `Retry-After` header, or an `Option` of one |
///
/// ```
/// use std::time::Duration;
/// use egb::{Reason, StatusCode};
///
/// #[derive(Debug, thiserror::Error, StatusCode)]
/// enum ApiError {
///     #[error("{status}: {message}")]
///     #[status(field = status)]
///     Http { status: u16, message: String, #[retry_after] wait: Option<Duration> },
///     #[error("the key was rejected")]
///     #[status(400, reason = InvalidKey)]
///     Rejected,
///     #[error(transparent)]
///     #[status(transparent)]
///     Io(#[from] std::io::Error),
///     #[error(transparent)]
///     #[status(transparent)]
///     Balance(#[from] egb::Error),
/// }
///
/// let wait = Some(Duration::from_secs(30));
/// let error = ApiError::Http { status: 429, message: String::new(), wait };
/// assert_eq!((error.status_code(), error.retry_after()), (Some(429), wait));
/// assert_eq!(ApiError::Rejected.reason(), Some(Reason::InvalidKey));
/// ```
///
/// # The wrapped error
///
/// `transparent` asks the only field; of several, the one that thiserror takes as the source: marked
/// `#[from]` or `#[source]`, or named `source`. What the variant says itself goes first: a `reason`, and
/// a field with `#[retry_after]`.
///
/// # The wait
///
/// A header's text is seconds or a date (RFC 9110, 10.2.3), which is measured from the system's clock when
/// the error is judged. Text that is neither, and a date that is over, is no wait. It may be a `&str`, `String`,
/// `Cow<str>`, `Box<str>`, `Rc<str>`, `Arc<str>` or `http::HeaderValue`.
///
/// ```
/// use std::time::Duration;
/// use egb::StatusCode;
///
/// #[derive(Debug, thiserror::Error, StatusCode)]
/// #[error("the server is busy")]
/// #[status(503)]
/// struct Busy<'a>(#[retry_after] Option<&'a str>);
///
/// assert_eq!(Busy(Some("120")).retry_after(), Some(Duration::from_secs(120)));
/// assert_eq!(Busy(Some("Sun, 06 Nov 1994 08:49:37 GMT")).retry_after(), None);
/// assert_eq!(Busy(Some("soon")).retry_after(), None);
/// ```
///
/// # Generic types
///
/// Fields that are asked, and they alone, get the bound that they need: `struct Wrapper<E>(E)` with
/// `#[status(transparent)]` is a `StatusCode` where `E` is one.
pub use egb_macros::StatusCode;

/// Hands a key to a function, and learns from what it returns how the key is.
///
/// The parameter named `key` (or `keys`) disappears from the signature; callers never see it. The call
/// leases the key that is due, runs the body with it, and ends the lease with the verdict of the result.
/// The function returns a `Result` under any name, whose error type has two traits: [`trait@StatusCode`]
/// (derive it), and `From<egb::Error>`, for when there is no key to give.
///
/// ```
/// use egb::{Balancer, Error, Key, balanced};
///
/// #[balanced]
/// fn ask(key: &Key, question: &str) -> Result<String, Error> {
///     // ... a request with `key.expose_secret()` ...
///     Ok(format!("asked {question}"))
/// }
///
/// let _guard = egb::init(Balancer::builder().key("test-key").build()?)?;
/// assert_eq!(ask("why")?, "asked why");
/// # Ok::<(), Error>(())
/// ```
///
/// # Options
///
/// | option | default | meaning |
/// | --- | --- | --- |
/// | [`keys = N`](#keys) | 1 | how many distinct keys |
/// | [`balancer = ..`](#balancer) | the global one | a name in quotes, or an expression |
/// | [`retries = N`](#retries) | 0 | further attempts, each on another key |
/// | [`classify = path`](#classify) | by `StatusCode` | a function that judges the result |
/// | [`crate = path`](#crate) | `::egb` | where egb is re-exported |
///
/// ## `keys`
///
/// For one key the parameter is `key: Key`, `&Key`, `&str` or `String`; for several it is
/// `keys: [Key; N]`, `&[Key]` or `Vec<Key>`. The number may be a constant. A parameter of another name
/// takes the key when it is marked `#[key]`.
///
/// ```
/// # use egb::{Balancer, Error, Key, balanced};
/// # let balancer = Balancer::builder().keys(["test-key-1", "test-key-2"]).build()?;
/// # let _entered = balancer.enter();
/// #[balanced(keys = 2)]
/// fn are_distinct(keys: [Key; 2]) -> Result<bool, Error> {
///     Ok(keys[0] != keys[1])
/// }
///
/// // `key` is an argument like any other when another parameter has the mark.
/// #[balanced]
/// fn look_up(key: &str, #[key] secret: &Key) -> Result<usize, Error> {
///     Ok(key.len() + secret.expose_secret().len())
/// }
///
/// assert!(are_distinct()?);
/// assert_eq!(look_up("name")?, 14);
/// # Ok::<(), Error>(())
/// ```
///
/// ## `balancer`
///
/// A name that was registered with [`register`], looked up once; or any expression that is or
/// dereferences to a [`Balancer`]: a field, a static, an argument.
///
/// ```
/// # use egb::{Balancer, Error, Key, balanced};
/// struct Client {
///     pool: Balancer,
/// }
///
/// impl Client {
///     #[balanced(balancer = self.pool)]
///     fn ask(&self, key: &Key) -> Result<(), Error> {
///         Ok(())
///     }
/// }
///
/// #[balanced(balancer = "gemini")]
/// fn ask_gemini(key: &Key) -> Result<(), Error> {
///     Ok(())
/// }
/// #
/// # let pool = Balancer::builder().key("test-key").build()?;
/// # let _guard = egb::register("gemini", pool.clone())?;
/// # Client { pool: pool.clone() }.ask()?;
/// # ask_gemini()?;
/// # assert_eq!(pool.stats().successes(), 2);
/// # Ok::<(), Error>(())
/// ```
///
/// ## `retries`
///
/// Further attempts, each on a key that this call has not tried, when the key or the server is at
/// fault ([`Reason::is_retryable`]). When no such key is free, the caller gets the last result.
/// Arguments by value are cloned for each attempt; `&mut` ones are reborrowed.
///
/// ```
/// # use egb::{Balancer, Error, Key, StatusCode, balanced};
/// # #[derive(Debug, thiserror::Error, StatusCode)]
/// # enum ApiError {
/// #     #[error("{0}")] #[status(field = 0)] Status(u16),
/// #     #[error(transparent)] #[status(transparent)] Balance(#[from] Error),
/// # }
/// # let balancer = Balancer::builder().keys(["revoked", "another"]).build()?;
/// # let _entered = balancer.enter();
/// #[balanced(retries = 2)]
/// fn ask(key: &str, attempts: &mut u32) -> Result<(), ApiError> {
///     *attempts += 1;
///     if key == "revoked" { Err(ApiError::Status(401)) } else { Ok(()) }
/// }
///
/// let mut attempts = 0;
/// ask(&mut attempts)?;
/// ask(&mut attempts)?;
/// assert!(attempts <= 3); // the revoked key was tried once at most
/// # Ok::<(), ApiError>(())
/// ```
///
/// ## `classify`
///
/// A `fn(&Result<T, E>) -> Verdict` for error types that [`trait@StatusCode`] can't be implemented for.
///
/// ```
/// # use egb::{Balancer, Error, Failure, Key, Verdict, balanced};
/// fn judge(result: &Result<u8, Box<dyn std::error::Error>>) -> Verdict {
///     match result {
///         Ok(_) => Verdict::Success,
///         Err(error) if error.to_string().contains("quota") => Failure::status(429).into(),
///         Err(_) => Verdict::Neutral,
///     }
/// }
///
/// #[balanced(classify = judge)]
/// fn ask(key: &Key) -> Result<u8, Box<dyn std::error::Error>> {
///     Err("the quota is spent".into())
/// }
/// #
/// # let balancer = Balancer::builder().key("test-key").build()?;
/// # let _entered = balancer.enter();
/// # ask().unwrap_err();
/// # assert_eq!(balancer.stats().throttled(), 1);
/// # Ok::<(), Error>(())
/// ```
///
/// ## `crate`
///
/// The path of egb when it is re-exported, from the root: `crate = ::my_sdk::egb` or `crate::egb`.
///
/// # What it expands to
///
/// ```text
/// async fn ask(question: &str) -> Result<String, ApiError> {
///     let lease = match <lease the key that is due> {
///         Ok(lease) => lease,
///         Err(error) => return Err(ApiError::from(error)),
///     };
///     let outcome = async move { let key: &Key = lease.key(); { /* the body as it was */ } }.await;
///     <end the lease with the verdict of the outcome>
///     outcome
/// }
/// ```
///
/// Nothing is boxed, nothing is spawned, and the future is `Send` when the body and what it returns are.
/// A panic or a dropped future ends the lease as neutral. Inside the body, however deep, [`key()`] is the
/// key of this call.
///
/// An `Ok` that carries a status (`http::Response`, `reqwest::Response`, any `T: StatusCode`) is judged by
/// it: `Ok(429)` is a failure, and retried like one. In a generic function that takes the bound
/// `T: StatusCode`; without it the compiler can't know.
///
/// # With other attributes
///
/// Put `#[balanced]` first, above `#[tracing::instrument]`: an attribute above it sees the key's parameter
/// and may record it. [`Key`] redacts itself; a key taken as `&str` or `String` does not. It works on methods
/// under `#[async_trait]`, in native async traits, and with editions from 2018 on.
pub use egb_macros::balanced;
pub use error::Error;
pub use health::{Health, LastFailure};
pub use key::{Fingerprint, Key};
pub use keyfile::{BadLine, KeysFileError, KeysFileErrorKind};
pub use lease::Lease;
pub use limits::Limits;
pub use outcome::{Failure, Header, HttpError, Reason, StatusCode, Verdict};
pub use policy::Policy;
pub use pool::Reloaded;
pub use registry::{Guard, get, init, key, keys, register};
pub use stats::{KeyState, KeyStats, Stats};
pub use store::{StoreError, StoreErrorKind};
