//! The errors of egb itself: what could not be set up, and why no key could be given.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::keyfile::KeysFileError;
use crate::outcome::{Reason, StatusCode};
use crate::store::StoreError;

/// What egb itself can fail with. No variant ever contains a key.
///
/// In a `#[balanced]` function it reaches the caller through `E: From<egb::Error>`. It says nothing
/// about any key: its verdict is neutral.
///
/// `Debug` prints the message as well, for that is what a `main` that returns the error shows.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// So many keys are disabled that the others are too few.
    #[error(
        "no key left: {disabled} of {total} keys are disabled and {wanted} needed; replace the keys, or call \
         `balancer.enable(&key)` or `balancer.reset()` once the provider accepts them again"
    )]
    NoKeyLeft {
        /// How many distinct keys were asked for.
        wanted: usize,
        /// How many keys are out until someone enables them.
        disabled: usize,
        /// How many keys the pool has.
        total: usize,
    },

    /// Keys are there, and too few can be used right now.
    #[error(
        "no key is free: {cooling} cooling down or at their limit, {busy} serving as many calls as they may, \
         {disabled} disabled{}",
        retry_hint(*.retry_after)
    )]
    NoKeyFree {
        /// Keys that rest until an instant (a cooldown or a spent limit).
        cooling: usize,
        /// Keys that serve as many calls as they may.
        busy: usize,
        /// Keys that are out until someone enables them.
        disabled: usize,
        /// When the first key comes back; `None` when that depends on running calls.
        retry_after: Option<Duration>,
    },

    /// More distinct keys were asked for than the pool has.
    #[error("{wanted} distinct keys were asked for and the pool has {total}; add keys or ask for fewer")]
    TooFewKeys {
        /// How many were asked for.
        wanted: usize,
        /// How many the pool has.
        total: usize,
    },

    /// The call was stopped, or not begun, because its `deadline` has passed.
    #[error("the deadline of this call has passed; give it more time, or call again")]
    DeadlineExceeded,

    /// No global balancer was set up.
    #[error(
        "egb is not set up: call `egb::init(balancer)` at the start of the program, \
         or set EGB_KEYS_FILE=path (one key a line), or set EGB_KEYS=key1,key2 (with EGB_DB=path to keep state)"
    )]
    NotSetUp,

    /// The builder got no source of keys.
    #[error(
        "the balancer has no keys: give it `.keys_file(path)`, `.key(key)`, `.keys(keys)` or `.keys_env(variable)`, or a \
         database to which keys were added"
    )]
    NoKeys,

    /// A source held no key.
    #[error("{source_name} holds no key; add one key a line")]
    EmptySource {
        /// The file or environment variable.
        source_name: String,
    },

    /// The environment variable is not set, or is not Unicode.
    #[error("the environment variable {variable} {problem}; set it to keys separated by commas or line breaks")]
    Environment {
        /// Its name; `…` if that may be a key.
        variable: String,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// The keys file can't be read or has bad lines.
    #[error(transparent)]
    KeysFile(Box<KeysFileError>),

    /// A key, weight or limit given in code is not valid.
    #[error("{what} {problem}")]
    Invalid {
        /// Which setting.
        what: String,
        /// What is wrong with it, and the mend.
        problem: &'static str,
    },

    /// A balancer with this name (or the global one) exists already.
    #[error("{} is registered already; register it once, at the start of the program", balancer_name(.name.as_deref()))]
    AlreadyRegistered {
        /// Its name; `None` is the global one.
        name: Option<String>,
    },

    /// No balancer has this name.
    #[error("no balancer is registered as {name:?}{}", known_names(.known))]
    UnknownBalancer {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Box<[String]>,
    },

    /// The key is not in the pool.
    #[error("the key {fingerprint} is not in the pool (a fingerprint; keys are never shown)")]
    UnknownKey {
        /// The fingerprint of the key.
        fingerprint: crate::Fingerprint,
    },

    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] Arc<StoreError>),
}

/// It is part of the result of every balanced function.
const _: () = assert!(size_of::<Error>() <= 48);

impl From<KeysFileError> for Error {
    fn from(error: KeysFileError) -> Self {
        Self::KeysFile(Box::new(error))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// When a key comes back, if it is known: worth waiting for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NoKeyFree { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Never the fault of a key: neutral.
impl StatusCode for Error {
    fn status_code(&self) -> Option<u16> {
        None
    }
    fn retry_after(&self) -> Option<Duration> {
        self.retry_after()
    }
    fn reason(&self) -> Option<Reason> {
        Some(Reason::Balancer)
    }
}

fn retry_hint(retry_after: Option<Duration>) -> String {
    match retry_after {
        Some(after) => format!("; the first comes back in {:.1} s", after.as_secs_f64()),
        None => "; a key is free when a running call ends".to_owned(),
    }
}

fn balancer_name(name: Option<&str>) -> String {
    name.map_or_else(|| "the global balancer".to_owned(), |name| format!("a balancer named {name:?}"))
}

fn known_names(known: &[String]) -> String {
    if known.is_empty() {
        "; register it with `egb::register(name, balancer)` at the start of the program".to_owned()
    } else {
        format!("; there are: {}", known.join(", "))
    }
}
