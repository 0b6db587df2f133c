//! An `Ok` is judged by its status when its type is known to have one.

use egb::{Balancer, Key, balanced};

#[derive(Debug, thiserror::Error, egb::StatusCode)]
enum E {
    #[error("status {0}")]
    #[status(field = 0)]
    Status(u16),
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] egb::Error),
}

fn pool() -> Balancer {
    Balancer::builder().keys(["test-key-1", "test-key-2", "test-key-3"]).in_memory().build().unwrap()
}

fn counts(balancer: &Balancer) -> (u64, u64, u64) {
    let stats = balancer.stats();
    (stats.calls(), stats.successes(), stats.failures())
}

#[derive(Debug)]
struct Answer(u16);

impl egb::StatusCode for Answer {
    fn status_code(&self) -> Option<u16> {
        Some(self.0)
    }
}

/// Without a bound the value can't be asked: a success.
#[balanced]
fn unknown<T>(key: Key, value: T) -> Result<T, E> {
    drop(key);
    Ok(value)
}

#[balanced]
async fn known<T: egb::StatusCode, F: egb::StatusCode + From<egb::Error>>(key: Key, value: T) -> Result<T, F> {
    drop(key);
    Ok(value)
}

type Alias<T> = Result<T, E>;

#[balanced]
fn through_an_alias(key: &str) -> Alias<Answer> {
    Ok(Answer(if key.is_empty() { 200 } else { 503 }))
}

#[balanced]
fn boxed(key: Key) -> Result<Box<Answer>, E> {
    drop(key);
    Ok(Box::new(Answer(404)))
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    unknown(Answer(503)).unwrap();
    assert_eq!(counts(&balancer), (1, 1, 0));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(known::<_, E>(Answer(503))).unwrap();
    through_an_alias().unwrap();
    boxed().unwrap();
    assert_eq!(counts(&balancer), (4, 1, 3));
}
