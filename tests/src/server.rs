//! The HTTP server: routes, start and stop, and what a test can do to it while it runs.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Path, Query, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::clock::{ServerClock, Time};
#[cfg(feature = "grpc")]
use crate::dialect::grpc;
use crate::dialect::{Dialect, Reply, google, model_of};
use crate::quota::Quota;
use crate::state::{KeyState, Received, Request, Standing, State};

/// The server. It stops when it is dropped.
#[derive(Debug)]
pub struct FakeGemini {
    inner: Arc<Inner>,
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    time: Time,
    latency: Duration,
}

/// Makes a [`FakeGemini`].
#[derive(Debug, Default)]
#[must_use = "call `.start()`"]
pub struct FakeGeminiBuilder {
    state: State,
    clock: Option<ServerClock>,
    latency: Duration,
}

impl FakeGeminiBuilder {
    /// A valid key without limits.
    pub fn key(self, key: impl AsRef<str>) -> Self {
        self.key_with(key, Quota::unlimited())
    }

    /// A valid key with limits.
    pub fn key_with(self, key: impl AsRef<str>, quota: Quota) -> Self {
        self.with(key, |key| key.quota = quota)
    }

    /// A key that was deleted: 400 `API_KEY_INVALID`. A key that the server was never told of gets
    /// the same with another message.
    pub fn revoked(self, key: impl AsRef<str>) -> Self {
        self.with(key, |key| key.standing = Standing::Revoked)
    }

    /// A key that was published: 403, known by its message alone.
    pub fn leaked(self, key: impl AsRef<str>) -> Self {
        self.with(key, |key| key.standing = Standing::Leaked)
    }

    /// A key of a suspended project: 403 `CONSUMER_SUSPENDED`, in an answer that echoes the key.
    pub fn suspended(self, key: impl AsRef<str>) -> Self {
        self.with(key, |key| key.standing = Standing::Suspended)
    }

    /// A key whose project has not enabled the API: 403 `SERVICE_DISABLED`.
    pub fn service_disabled(self, key: impl AsRef<str>) -> Self {
        self.with(key, |key| key.standing = Standing::ServiceDisabled)
    }

    /// A key whose account is empty: OpenAI's `insufficient_quota`, and what the others say.
    pub fn out_of_credit(self, key: impl AsRef<str>) -> Self {
        self.with(key, |key| key.standing = Standing::OutOfCredit)
    }

    /// A valid key of which every `every`th request is answered with 503.
    pub fn failing_every(self, every: usize, key: impl AsRef<str>) -> Self {
        self.with(key, |key| key.fails_every = Some(every))
    }

    fn with(mut self, key: impl AsRef<str>, set: impl FnOnce(&mut KeyState)) -> Self {
        set(self.state.key(key.as_ref()));
        self
    }

    /// A clock that the test drives. Without one, time is real.
    pub fn clock(mut self, clock: ServerClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// How long each answer takes, in real time.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Starts the server on a free port of 127.0.0.1, as a task of the current tokio runtime.
    ///
    /// # Errors
    ///
    /// When no port can be had.
    pub async fn start(self) -> io::Result<FakeGemini> {
        let (server, serving) = self.bind().await?;
        tokio::spawn(serving);
        Ok(server)
    }

    /// Starts the server on a thread of its own, for programs without a runtime.
    ///
    /// # Errors
    ///
    /// When no port, thread or runtime can be had.
    pub fn start_blocking(self) -> io::Result<FakeGemini> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (server, serving) = runtime.block_on(self.bind())?;
        std::thread::Builder::new().name("fake-gemini".to_owned()).spawn(move || runtime.block_on(serving))?;
        Ok(server)
    }

    async fn bind(self) -> io::Result<(FakeGemini, impl Future<Output = ()> + Send + use<>)> {
        let time = self.clock.map_or_else(|| Time::Real(Instant::now()), Time::Driven);
        let inner = Arc::new(Inner { state: Mutex::new(self.state), time, latency: self.latency });
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let routes = Router::new()
            .route("/v1beta/models", get(list_gemini_models))
            .route("/v1/models", get(list_models))
            .route("/v1beta/models/{call}", post(generate))
            .route("/v1/chat/completions", post(chat))
            .route("/v1/messages", post(messages));
        #[cfg(feature = "grpc")]
        let routes = routes.route(grpc::PATH, post(greet));
        let routes = routes.with_state(Arc::clone(&inner));
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = async move {
            tokio::select! {
                // Fails only when the listener does; the test sees that in its requests.
                _ = axum::serve(listener, routes) => {}
                _ = stopped => {}
            }
        };
        Ok((FakeGemini { inner, address, _stop: stop }, serving))
    }
}

impl FakeGemini {
    /// Starts the making of a server.
    pub fn builder() -> FakeGeminiBuilder {
        FakeGeminiBuilder::default()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where to ask `model`.
    pub fn generate_url(&self, model: &str) -> String {
        format!("{}/v1beta/models/{model}:generateContent", self.url())
    }

    /// Where to chat as with OpenAI: the key is a bearer token.
    pub fn chat_url(&self) -> String {
        format!("{}/v1/chat/completions", self.url())
    }

    /// Where to chat as with Anthropic: the key is in `x-api-key`.
    pub fn messages_url(&self) -> String {
        format!("{}/v1/messages", self.url())
    }

    /// The path of a gRPC method at [`url`](Self::url), without TLS, that takes an empty message and returns one. The key is in
    /// `x-goog-api-key`.
    #[cfg(feature = "grpc")]
    pub fn grpc_path(&self) -> &'static str {
        grpc::PATH
    }

    /// What `key` received.
    pub fn received(&self, key: &str) -> Received {
        self.inner.state.lock().received(key)
    }

    /// All requests, oldest first.
    pub fn log(&self) -> Vec<Request> {
        self.inner.state.lock().log.clone()
    }

    /// How many requests were answered with `status`.
    pub fn count_status(&self, status: u16) -> usize {
        self.inner.state.lock().log.iter().filter(|request| request.status == status).count()
    }

    /// Revokes a key.
    pub fn revoke(&self, key: &str) {
        self.inner.state.lock().key(key).standing = Standing::Revoked;
    }

    /// Makes a key valid, or adds one.
    pub fn restore(&self, key: &str) {
        let mut state = self.inner.state.lock();
        let known = state.key(key);
        known.standing = Standing::Valid;
        known.throttled_until = None;
    }

    /// Answers a key with 429 for so long.
    pub fn throttle(&self, key: &str, during: Duration) {
        let until = self.inner.time.now() + during;
        self.inner.state.lock().key(key).throttled_until = Some(until);
    }

    /// Begins or ends an outage of the whole server: 503 for all.
    pub fn outage(&self, on: bool) {
        self.inner.state.lock().outage = on;
    }

    /// Answers the next `count` requests with 503.
    pub fn fail_next(&self, count: usize) {
        self.inner.state.lock().failures_left = count;
    }
}

#[derive(Deserialize)]
struct KeyInQuery {
    key: Option<String>,
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.body)).into_response();
        for (name, value) in self.headers {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

impl Inner {
    async fn serve(&self, dialect: Dialect, key: Option<String>, model: &str, body: &[u8]) -> Response {
        let answer = |prompt: String| dialect.answer(model, &prompt);
        self.reply(dialect, key, model, dialect.prompt(body), answer).await
    }

    /// The list of models, which a key can be asked for that can be asked at all.
    async fn list(&self, dialect: Dialect, key: Option<String>) -> Response {
        self.reply(dialect, key, dialect.models()[0], Ok(String::new()), |_| dialect.list()).await
    }

    async fn reply(
        &self,
        dialect: Dialect,
        key: Option<String>,
        model: &str,
        prompt: Result<String, String>,
        answer: impl FnOnce(String) -> Reply,
    ) -> Response {
        let reply = {
            let mut state = self.state.lock();
            let (served, book) = state.serve(self.time.now(), key.as_deref(), model, dialect.models(), prompt);
            let reply = served.map_or_else(|problem| dialect.refusal(&problem), answer);
            book(&mut state, reply.status);
            reply
        };
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        reply.into_response()
    }
}

async fn generate(
    Shared(inner): Shared<Arc<Inner>>,
    Path(call): Path<String>,
    Query(query): Query<KeyInQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some((model, "generateContent")) = call.rsplit_once(':') else {
        return google::not_found(&call).into_response();
    };
    let key = Dialect::Google.key(&headers).or(query.key);
    inner.serve(Dialect::Google, key, model, &body).await
}

async fn chat(Shared(inner): Shared<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    inner.serve(Dialect::OpenAi, Dialect::OpenAi.key(&headers), &model_of(&body), &body).await
}

async fn messages(Shared(inner): Shared<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    inner.serve(Dialect::Anthropic, Dialect::Anthropic.key(&headers), &model_of(&body), &body).await
}

/// gRPC, in so far as a call with an empty message needs it.
#[cfg(feature = "grpc")]
async fn greet(Shared(inner): Shared<Arc<Inner>>, headers: HeaderMap) -> Response {
    let key = Dialect::Google.key(&headers);
    let model = google::MODELS[0];
    let mut state = inner.state.lock();
    let (answer, book) = state.serve(inner.time.now(), key.as_deref(), model, &google::MODELS, Ok(String::new()));
    let (response, status) = match answer {
        Ok(_) => (grpc::answer(), 200),
        Err(problem) => (grpc::refusal(&problem), Dialect::Google.refusal(&problem).status),
    };
    book(&mut state, status);
    response
}

async fn list_gemini_models(
    Shared(inner): Shared<Arc<Inner>>,
    Query(query): Query<KeyInQuery>,
    headers: HeaderMap,
) -> Response {
    let key = Dialect::Google.key(&headers).or(query.key);
    inner.list(Dialect::Google, key).await
}

/// OpenAI and Anthropic list their models at the same path: the headers tell who is asked.
async fn list_models(Shared(inner): Shared<Arc<Inner>>, headers: HeaderMap) -> Response {
    let is_anthropic = headers.contains_key("anthropic-version");
    let dialect = if is_anthropic { Dialect::Anthropic } else { Dialect::OpenAi };
    inner.list(dialect, dialect.key(&headers)).await
}
