//! Every client that egb knows, over real HTTP against the fake server, in the ways of Google, OpenAI and Anthropic: each
//! answer is read as a person would read it, and the pool comes to the same state whichever client it was.

use std::time::Duration;

use egb::{
    Balancer, BlockingErrorForKey as _, ErrorForKey, HttpError, Key, KeyConfig, KeyState, ManualClock, Reason, balanced,
};
use egb_tests::{FakeGemini, Quota, ServerClock};
use serde_json::{Value, json};

const KEYS: [&str; 6] = ["good", "revoked", "spent", "broke", "forbidden", "failing"];

fn secret(name: &str) -> String {
    format!("AIzaSyFAKE_{name}_0123456789abcdef")
}

/// One key of each kind. The spent one answers 429 from its second request on.
async fn server() -> FakeGemini {
    FakeGemini::builder()
        .clock(ServerClock::new())
        .key(secret("good"))
        .revoked(secret("revoked"))
        .key_with(secret("spent"), Quota::per_minute(1))
        .out_of_credit(secret("broke"))
        .service_disabled(secret("forbidden"))
        .failing_every(1, secret("failing"))
        .start()
        .await
        .unwrap()
}

fn pool() -> Balancer {
    let config = |name: &&str| KeyConfig::new(secret(name)).label(*name);
    let builder = Balancer::builder().clock(ManualClock::new()).learn_limits(false);
    KEYS.iter().map(config).fold(builder, egb::BalancerBuilder::key).build().unwrap()
}

/// What a way to speak can say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Google,
    OpenAi,
    Anthropic,
}

/// What the pool has to know after every key was asked twice, in the order of [`KEYS`]; failures one after the other, so
/// that no weather is made of them. `None` of a reason is that nothing failed.
fn check(pool: &Balancer, way: Way, has_body: bool) {
    let stats = pool.stats();
    let of = |name: &str| {
        let row = stats.keys.iter().find(|row| row.label.as_deref() == Some(name)).unwrap();
        (row.state, row.health.last_failure().map(|failure| failure.reason))
    };
    assert_eq!(of("good"), (KeyState::Available, None));
    if has_body || way != Way::Google {
        assert_eq!(of("revoked"), (KeyState::Disabled, Some(Reason::InvalidKey)));
    }
    assert_eq!(of("spent"), (KeyState::CoolingDown, Some(Reason::RateLimited)));
    let broke = if has_body { Reason::Billing } else { Reason::RateLimited };
    if has_body || way == Way::OpenAi {
        assert_eq!(of("broke"), (KeyState::CoolingDown, Some(broke)));
    }
    assert_eq!(of("forbidden"), (KeyState::CoolingDown, Some(Reason::Forbidden)));
    assert_eq!(of("failing"), (KeyState::Available, Some(Reason::Server)));
}

/// How long the spent key rests.
fn rest(pool: &Balancer) -> Duration {
    let stats = pool.stats();
    let spent = stats.keys.iter().find(|row| row.label.as_deref() == Some("spent")).unwrap();
    let failed = spent.health.last_failure().unwrap().at;
    spent.health.cooldown_until().unwrap().duration_since(failed).unwrap()
}

/// Calls with each key twice: as many as there are turns.
const CALLS: usize = 2 * KEYS.len();

macro_rules! call_all {
    ($pool:expr, $call:expr) => {
        for _ in 0..CALLS {
            // No key is free at the end, but the good one.
            let _ = $call;
        }
        assert!($pool.stats().successes() > 2, "{:?}", $pool.stats().keys);
    };
}

#[derive(Debug, thiserror::Error, egb::StatusCode)]
enum ApiError {
    #[error(transparent)]
    #[status(transparent)]
    Api(#[from] HttpError),
    #[error(transparent)]
    #[status(transparent)]
    Reqwest(#[from] reqwest::Error),
    #[error(transparent)]
    #[status(transparent)]
    Ureq(#[from] ureq::Error),
    #[error(transparent)]
    #[status(transparent)]
    Hyper(#[from] hyper_util::client::legacy::Error),
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] egb::Error),
}

impl Way {
    fn url(self, server: &FakeGemini) -> String {
        match self {
            Self::Google => server.generate_url("gemini-2.5-flash"),
            Self::OpenAi => server.chat_url(),
            Self::Anthropic => server.messages_url(),
        }
    }

    fn header(self, key: &Key) -> (&'static str, String) {
        let key = key.expose_secret();
        match self {
            Self::Google => ("x-goog-api-key", key.to_owned()),
            Self::OpenAi => ("authorization", format!("Bearer {key}")),
            Self::Anthropic => ("x-api-key", key.to_owned()),
        }
    }

    fn body(self) -> Value {
        let messages = json!([{ "role": "user", "content": "hello" }]);
        match self {
            Self::Google => json!({ "contents": [{ "parts": [{ "text": "hello" }] }] }),
            Self::OpenAi => json!({ "model": "gpt-5-mini", "messages": messages }),
            Self::Anthropic => json!({ "model": "claude-haiku-4-5", "max_tokens": 99, "messages": messages }),
        }
    }
}

const WAYS: [Way; 3] = [Way::Google, Way::OpenAi, Way::Anthropic];

#[balanced(balancer = pool)]
async fn by_reqwest(key: Key, pool: &Balancer, url: &str, way: Way) -> Result<Value, ApiError> {
    let (name, value) = way.header(&key);
    let request = reqwest::Client::new().post(url).header(name, value).json(&way.body());
    Ok(request.send().await?.error_for_key().await?.json().await?)
}

#[tokio::test]
async fn reqwest_reads_what_every_provider_says() {
    for way in WAYS {
        let (server, pool) = (server().await, pool());
        let url = way.url(&server);
        call_all!(pool, by_reqwest(&pool, &url, way).await);
        check(&pool, way, true);
        let seconds = rest(&pool).as_secs_f64();
        assert!((59.0..=60.0).contains(&seconds), "the provider names the time: {seconds}");
    }
}

#[balanced(balancer = pool)]
async fn by_response(key: Key, pool: &Balancer, url: &str, way: Way) -> Result<reqwest::Response, ApiError> {
    let (name, value) = way.header(&key);
    Ok(reqwest::Client::new().post(url).header(name, value).json(&way.body()).send().await?)
}

#[tokio::test]
async fn a_response_that_is_returned_as_it_came_is_judged_by_its_status_and_headers() {
    for way in [Way::OpenAi, Way::Anthropic] {
        let (server, pool) = (server().await, pool());
        let url = way.url(&server);
        call_all!(pool, by_response(&pool, &url, way).await);
        check(&pool, way, false);
        assert!(rest(&pool) > Duration::from_secs(58));
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

#[balanced(balancer = pool)]
fn by_ureq(key: Key, pool: &Balancer, url: &str, way: Way) -> Result<String, ApiError> {
    let (name, value) = way.header(&key);
    let request = agent().post(url).header(name, value).header("content-type", "application/json");
    Ok(request.send(way.body().to_string())?.error_for_key()?.body_mut().read_to_string()?)
}

#[balanced(balancer = pool)]
fn by_ureq_error(key: Key, pool: &Balancer, url: &str, way: Way) -> Result<String, ApiError> {
    let (name, value) = way.header(&key);
    Ok(ureq::post(url).header(name, value).send(way.body().to_string())?.body_mut().read_to_string()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn ureq_reads_what_every_provider_says() {
    for way in WAYS {
        let server = server().await;
        let url = way.url(&server);
        let (read, by_status) = (pool(), pool());
        tokio::task::block_in_place(|| {
            call_all!(read, by_ureq(&read, &url, way));
            call_all!(by_status, by_ureq_error(&by_status, &url, way));
        });
        check(&read, way, true);
        assert!(rest(&read) > Duration::from_secs(58));
        check(&by_status, way, false);
    }
}

type HyperClient = hyper_util::client::legacy::Client<
    hyper_util::client::legacy::connect::HttpConnector,
    http_body_util::Full<axum::body::Bytes>,
>;

#[balanced(balancer = pool)]
async fn by_hyper(key: Key, pool: &Balancer, client: &HyperClient, url: &str, way: Way) -> Result<(), ApiError> {
    let (name, value) = way.header(&key);
    let request = http::Request::post(url).header(name, value).body(way.body().to_string().into());
    client.request(request.expect("a good request")).await?.error_for_key().await?;
    Ok(())
}

#[tokio::test]
async fn hyper_reads_what_every_provider_says() {
    let executor = hyper_util::rt::TokioExecutor::new();
    let client = hyper_util::client::legacy::Client::builder(executor).build_http();
    for way in WAYS {
        let (server, pool) = (server().await, pool());
        let url = way.url(&server);
        call_all!(pool, by_hyper(&pool, &client, &url, way).await);
        check(&pool, way, true);
        assert!(rest(&pool) > Duration::from_secs(58));
    }
}

mod openai {
    use async_openai::Client;
    use async_openai::config::OpenAIConfig;
    use async_openai::error::OpenAIError;
    use async_openai::types::chat::{ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequestArgs};

    use super::*;

    #[derive(Debug, thiserror::Error, egb::StatusCode)]
    enum ChatError {
        #[error(transparent)]
        #[status(transparent)]
        Api(#[from] OpenAIError),
        #[error(transparent)]
        #[status(transparent)]
        Balance(#[from] egb::Error),
    }

    #[balanced(balancer = pool)]
    async fn chat(key: Key, pool: &Balancer, base: &str) -> Result<usize, ChatError> {
        let config = OpenAIConfig::new().with_api_key(key.expose_secret()).with_api_base(base);
        let message = ChatCompletionRequestUserMessageArgs::default().content("hello").build()?;
        let request =
            CreateChatCompletionRequestArgs::default().model("gpt-5-mini").messages([message.into()]).build()?;
        Ok(Client::with_config(config).chat().create(request).await?.choices.len())
    }

    #[tokio::test]
    async fn async_openai_tells_an_empty_account_from_a_rate() {
        let (server, pool) = (server().await, pool());
        let base = format!("{}/v1", server.url());
        call_all!(pool, chat(&pool, &base).await);
        check(&pool, Way::OpenAi, true);
    }
}

mod grpc {
    use http::uri::PathAndQuery;
    use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
    use tonic::transport::Channel;
    use tonic::{Request, Status};

    use super::*;

    /// Messages without content.
    #[derive(Default)]
    struct Empty;

    impl Codec for Empty {
        type Encode = ();
        type Decode = ();
        type Encoder = Self;
        type Decoder = Self;
        fn encoder(&mut self) -> Self {
            Self
        }
        fn decoder(&mut self) -> Self {
            Self
        }
    }

    impl Encoder for Empty {
        type Item = ();
        type Error = Status;
        fn encode(&mut self, (): (), _: &mut EncodeBuf<'_>) -> Result<(), Status> {
            Ok(())
        }
    }

    impl Decoder for Empty {
        type Item = ();
        type Error = Status;
        fn decode(&mut self, _: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
            Ok(Some(()))
        }
    }

    #[derive(Debug, thiserror::Error, egb::StatusCode)]
    enum CallError {
        #[error(transparent)]
        #[status(transparent)]
        Api(#[from] Box<Status>),
        #[error(transparent)]
        #[status(transparent)]
        Balance(#[from] egb::Error),
    }

    #[balanced(balancer = pool)]
    async fn greet(key: Key, pool: &Balancer, channel: Channel, path: &'static str) -> Result<(), CallError> {
        let mut client = tonic::client::Grpc::new(channel);
        let not_ready = |error: tonic::transport::Error| Box::new(Status::from_error(error.into()));
        client.ready().await.map_err(not_ready)?;
        let mut request = Request::new(());
        request.metadata_mut().insert("x-goog-api-key", key.expose_secret().parse().expect("a header"));
        client.unary(request, PathAndQuery::from_static(path), Empty).await.map_err(Box::new)?;
        Ok(())
    }

    #[tokio::test]
    async fn tonic_reads_the_details_of_a_status() {
        let (server, pool) = (server().await, pool());
        let channel = Channel::from_shared(server.url()).unwrap().connect().await.unwrap();
        call_all!(pool, greet(&pool, channel.clone(), server.grpc_path()).await);
        check(&pool, Way::Google, true);
        assert!(rest(&pool) > Duration::from_secs(58));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_the_networks_fault() {
        let pool = pool();
        let channel = Channel::from_static("http://127.0.0.1:9").connect_lazy();
        assert!(greet(&pool, channel, "/a.B/C").await.is_err());
        let reasons: Vec<_> = pool.stats().keys.iter().filter_map(|key| key.health.last_failure()).collect();
        assert_eq!((reasons.len(), reasons[0].reason, reasons[0].status), (1, Reason::Network, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_the_networks_fault_whichever_client_finds_out() {
    let url = "http://127.0.0.1:9/";
    let executor = hyper_util::rt::TokioExecutor::new();
    let client = hyper_util::client::legacy::Client::builder(executor).build_http();
    let pools = [pool(), pool(), pool()];
    assert!(by_reqwest(&pools[0], url, Way::Google).await.is_err());
    assert!(tokio::task::block_in_place(|| by_ureq(&pools[1], url, Way::Google)).is_err());
    assert!(by_hyper(&pools[2], &client, url, Way::Google).await.is_err());
    for pool in &pools {
        let failure = pool.stats().keys.iter().find_map(|key| key.health.last_failure()).unwrap();
        assert_eq!((failure.reason, failure.status), (Reason::Network, None));
    }
}

#[tokio::test]
async fn an_answer_that_hyper_can_not_read_is_not_the_keys_fault_and_a_broken_connection_is_the_networks() {
    for (answer, reason) in [("this is no HTTP\r\n\r\n", Reason::Request), ("", Reason::Network)] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get("/").body(http_body_util::Empty::<axum::body::Bytes>::new()).unwrap();
        let answering = async move {
            tokio::io::AsyncWriteExt::write_all(&mut server, answer.as_bytes()).await.unwrap();
            drop(server);
        };
        let (response, ()) = tokio::join!(sender.send_request(request), answering);
        assert_eq!(egb::StatusCode::reason(&response.unwrap_err()), Some(reason), "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_the_requests_fault() {
    let server = server().await;
    let answer = reqwest::get(format!("{}/v1beta/models?key={}", server.url(), secret("good"))).await.unwrap();
    let error = answer.error_for_key().await.unwrap().json::<u8>().await.unwrap_err();
    assert_eq!(egb::StatusCode::reason(&error), Some(Reason::Request));
    let error = ureq::get("no address at all").call().unwrap_err();
    assert_eq!(egb::StatusCode::reason(&error), Some(Reason::Request));
    let missing = server.url() + "/nowhere";
    let error = reqwest::get(missing).await.unwrap().error_for_key().await.unwrap_err();
    assert_eq!((error.status(), egb::StatusCode::reason(&error)), (404, Some(Reason::Request)));
}
