//! Functions that take a ready API client in place of a key, and streams that hold their key until they end.
//! Offline, against the fake Gemini server.
//!
//! `cargo run --example clients`

use std::sync::OnceLock;

use egb::{Balancer, Error, ErrorForKey, FromKey, HttpError, Key, Lease, StatusCode, balanced};
use egb_tests::FakeGemini;
use futures::{Stream, StreamExt, TryStreamExt, stream};

#[derive(Debug, thiserror::Error, StatusCode)]
enum ApiError {
    #[error(transparent)]
    #[status(transparent)]
    Api(#[from] HttpError),
    #[error(transparent)]
    #[status(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] Error),
}

/// Where the API is, and the connections to it: the same for every key.
static API: OnceLock<(reqwest::Client, String)> = OnceLock::new();

/// A client that is ready to be used: what most SDKs of providers look like.
struct Gemini {
    http: reqwest::Client,
    url: String,
    key: Key,
}

impl FromKey for Gemini {
    fn from_key(key: &Key) -> Self {
        let (http, url) = API.get().expect("main sets it");
        Self { http: http.clone(), url: url.clone(), key: key.clone() }
    }
}

impl Gemini {
    async fn generate(&self, prompt: &str) -> Result<reqwest::Response, ApiError> {
        let body = serde_json::json!({ "contents": [{ "parts": [{ "text": prompt }] }] });
        let request = self.http.post(&self.url).header("x-goog-api-key", self.key.expose_secret());
        Ok(request.json(&body).send().await?.error_for_key().await?)
    }
}

/// The client of a key that works: a revoked or throttled one is replaced on the way.
#[balanced(retries = 3, backoff = "10ms..200ms", deadline = "10s")]
async fn answer(#[key] gemini: Gemini, prompt: &str) -> Result<String, ApiError> {
    Ok(gemini.generate(prompt).await?.text().await?)
}

/// The answer piece by piece. The key is in use until the last one, and judged by how the stream ends.
#[balanced(retries = 3, affinity = user)]
async fn pieces(
    lease: Lease,
    user: &str,
    prompt: &str,
) -> Result<impl Stream<Item = Result<usize, ApiError>> + use<>, ApiError> {
    let response = Gemini::from_key(lease.key()).generate(prompt).await?;
    let chunks = stream::try_unfold(response, |mut response| async {
        let chunk = response.chunk().await?;
        Ok(chunk.map(|bytes| (bytes.len(), response)))
    });
    Ok(lease.attach(chunks))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let server = FakeGemini::builder()
        .key("example-key-good-1")
        .key("example-key-good-2")
        .revoked("example-key-revoked")
        .start()
        .await?;
    API.set((reqwest::Client::new(), server.generate_url("gemini-2.5-flash"))).ok();
    let keys = ["example-key-revoked", "example-key-good-1", "example-key-good-2"];
    let guard = egb::init(Balancer::builder().keys(keys).in_memory().build()?)?;

    for question in ["why?", "how?", "when?"] {
        println!("{question} {} bytes", answer(question).await?.len());
    }

    let stream = Box::pin(pieces("anna", "and then?").await?);
    println!("while a stream runs its key is in use: {} call", in_flight(guard.balancer()));
    let sizes: Vec<usize> = stream.try_collect().await?;
    println!("{} bytes in {} pieces", sizes.iter().sum::<usize>(), sizes.len());

    // A stream that its reader leaves says nothing of the key.
    drop(Box::pin(pieces("anna", "tell me more").await?).next().await);

    let stats = guard.balancer().stats();
    println!("{} calls with {} uses of a key:", stats.calls(), stats.uses());
    for key in &stats.keys {
        println!("  {:<18} {:>2} uses, {} failed, {:?}", key.masked, key.calls, key.failures, key.state);
    }
    Ok(())
}

fn in_flight(balancer: &Balancer) -> u32 {
    balancer.stats().keys.iter().map(|key| key.in_flight).sum()
}
