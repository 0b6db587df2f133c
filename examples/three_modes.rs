//! The three modes on one balancer, offline: a plain key, a scoped call, a decorated function.
//!
//! `cargo run --example three_modes`

use egb::{Balancer, Error, Failure, Key, KeyConfig, StatusCode, balanced};

/// What the pretended API answers with.
#[derive(Debug, thiserror::Error, StatusCode)]
enum ApiError {
    #[error("the server answered {status}")]
    #[status(field = status)]
    Status { status: u16 },
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] Error),
}

/// Stands for an HTTP call: the key labelled "spent" is answered with 429.
fn ask(key: &Key, question: &str) -> Result<String, ApiError> {
    if key.expose_secret().contains("spent") {
        return Err(ApiError::Status { status: 429 });
    }
    Ok(format!("an answer to {question:?}"))
}

#[balanced(keys = 1, retries = 1)]
fn decorated(key: &Key, question: &str) -> Result<String, ApiError> {
    ask(key, question)
}

#[balanced(keys = 2)]
async fn decorated_async(keys: [Key; 2], question: &str) -> Result<String, ApiError> {
    tokio::task::yield_now().await;
    Ok(format!("{} keys for {question:?}", keys.len()))
}

fn main() -> Result<(), ApiError> {
    let balancer = Balancer::builder()
        .key(KeyConfig::new("example-key-number-one").label("first"))
        .key(KeyConfig::new("example-key-number-two").label("second").weight(2.0))
        .key(KeyConfig::new("example-key-spent-today").label("spent"))
        .in_memory()
        .build()?;
    let _guard = egb::init(balancer.clone())?;

    println!("1. auto-success: a key in one line, failures reported by hand");
    for _ in 0..4 {
        let key = egb::key()?;
        match ask(&key, "one") {
            Ok(answer) => println!("   {key:?}: {answer}"),
            Err(error) => {
                println!("   {key:?}: {error}");
                balancer.report(&key, &error);
            }
        }
    }

    println!("2. scoped: the result is the verdict");
    let answer = balancer.with_keys(1, |keys| ask(&keys[0], "two"))?;
    println!("   {answer}");
    let lease = balancer.lease()?;
    println!("   a lease on {:?}, ended by hand", lease.key());
    lease.end(Failure::status(503));

    println!("3. decorated: the caller sees no key");
    println!("   {}", decorated("three")?);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!("   {}", runtime.block_on(decorated_async("four"))?);

    println!("what was learned:");
    for key in balancer.stats().keys {
        println!(
            "   {:7} {:3} calls, {} failed, health {:.0} %, {:?}",
            key.label.unwrap_or_default(),
            key.calls,
            key.failures,
            100.0 * key.health.factor(),
            key.state,
        );
    }
    Ok(())
}
