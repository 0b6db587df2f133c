#![deny(warnings, clippy::all, clippy::pedantic, clippy::nursery, unused)]
#![forbid(unsafe_code)]
//! More functions as they are found: clients of three providers, repositories, handlers, middlewares, services.

use egb::Balancer;

#[path = "more_projects/clients.rs"]
pub mod clients;
#[path = "more_projects/services.rs"]
pub mod services;
#[path = "more_projects/traits_and_closures.rs"]
pub mod traits_and_closures;

/// What goes wrong.
#[derive(Debug, thiserror::Error, egb::StatusCode)]
pub enum ApiError {
    /// The API says so.
    #[error("{status}: {message}")]
    #[status(field = status)]
    Api {
        /// By number.
        status: u16,
        /// By words.
        message: String,
    },
    /// Not read.
    #[error(transparent)]
    #[status(transparent)]
    Io(#[from] std::io::Error),
    /// Not a number.
    #[error(transparent)]
    #[status(none)]
    Parse(#[from] std::num::ParseIntError),
    /// No key.
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] egb::Error),
}

impl ApiError {
    const fn status(status: u16) -> Self {
        Self::Api { status, message: String::new() }
    }
}

type Result<T, E = ApiError> = std::result::Result<T, E>;

/// As serde has it.
pub trait DeserializeOwned: Sized {
    /// From text.
    ///
    /// # Errors
    ///
    /// When it is none.
    fn read(text: &str) -> Result<Self>;
}

impl DeserializeOwned for u64 {
    fn read(text: &str) -> Result<Self> {
        Ok(text.parse()?)
    }
}

/// The state of an app.
#[derive(Clone, Debug)]
pub struct App {
    pool: Balancer,
    greeting: &'static str,
}

const fn is_send<T: Send>(value: T) -> T {
    value
}

fn pool() -> Balancer {
    Balancer::builder().keys(["test-key-1", "test-key-2", "test-key-3"]).in_memory().build().expect("a pool")
}

fn main() -> Result<()> {
    tokio::runtime::Builder::new_current_thread().build()?.block_on(calls())
}

async fn calls() -> Result<()> {
    let pool = pool();
    let app = App { pool: pool.clone(), greeting: "hi" };
    clients::calls(&pool).await?;
    services::calls(&pool, &app).await?;
    traits_and_closures::calls(&pool, &app).await
}

fn counts(pool: &Balancer) -> (u64, u64, u64) {
    let stats = pool.stats();
    (stats.uses(), stats.successes(), stats.failures())
}
