//! egb spreads calls over many API keys.

mod clock;
mod error;
mod health;
mod key;
mod keyfile;
mod outcome;
mod policy;
mod store;

pub use clock::{Clock, ManualClock, SystemClock};
pub use error::Error;
pub use health::{Health, LastFailure};
pub use key::{Fingerprint, Key};
pub use outcome::{Failure, HttpError, Reason, StatusCode, Verdict};
pub use policy::Policy;
