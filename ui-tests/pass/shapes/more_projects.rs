#![deny(warnings, clippy::all, clippy::pedantic, clippy::nursery, unused)]
#![forbid(unsafe_code)]
//! More functions as they are found: clients of three providers, repositories, handlers, middlewares, services.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::{Debug, Write as _};
use std::future::Future;
use std::io::Read;
use std::marker::PhantomData;
use std::ops::AsyncFnOnce;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use egb::{Balancer, FromKey, Key, Lease, balanced};
use futures::future::BoxFuture;
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};

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

// 1. A Gemini client: a generic answer, a builder's request, constants of its own in options.

/// The text of a prompt and how to answer it.
#[derive(Clone, Debug, Default)]
pub struct GenerateRequest<'a> {
    parts: Vec<Cow<'a, str>>,
    temperature: Option<f32>,
}

/// The client.
#[derive(Clone, Debug)]
pub struct Gemini<T = ()> {
    pool: Balancer,
    model: Arc<str>,
    transport: PhantomData<fn() -> T>,
}

impl<T> Gemini<T>
where
    T: Send + Sync + 'static,
{
    const MODEL: &'static str = "gemini-2.5-flash";
    const RETRIES: u32 = 2;
    const PATIENCE: Duration = Duration::from_secs(1);

    fn new(pool: Balancer) -> Self {
        Self { pool, model: Self::MODEL.into(), transport: PhantomData }
    }

    /// One answer.
    ///
    /// # Errors
    ///
    /// The API's.
    #[balanced(
        balancer = self.pool,
        retries = Self::RETRIES,
        wait = Self::PATIENCE,
        scope = Self::MODEL,
        affinity = (&self.model, request.parts.len())
    )]
    pub async fn generate<R: DeserializeOwned + Send>(
        &self,
        key: &Key,
        request: &GenerateRequest<'_>,
        seen: &mut Vec<u16>,
    ) -> Result<R> {
        let Some(status) = seen.pop() else {
            return Err(ApiError::status(400));
        };
        if status >= 400 {
            return Err(ApiError::Api { status, message: key.masked() });
        }
        tokio::task::yield_now().await;
        let size = request.parts.iter().map(|part| part.len()).sum::<usize>();
        R::read(&size.to_string())
    }

    /// A stream of words, as of server-sent events.
    ///
    /// # Errors
    ///
    /// The API's.
    #[balanced(balancer = self.pool, retries = 1)]
    pub async fn stream<'s>(
        &'s self,
        lease: Lease,
        GenerateRequest { parts, .. }: GenerateRequest<'s>,
    ) -> Result<impl Stream<Item = Result<String>> + Send + 's> {
        Ok(lease.attach(stream::iter(parts).map(event)))
    }
}

fn event(part: Cow<'_, str>) -> Result<String> {
    if part == "[ERROR]" { Err(ApiError::status(429)) } else { Ok(part.into_owned()) }
}

// 2. An OpenAI client: a request that a builder sends, which it uses up; SSE lines read by hand.

/// A request under way.
#[derive(Debug)]
pub struct ChatBuilder {
    pool: Balancer,
    messages: Vec<String>,
    seed: Option<u64>,
}

impl ChatBuilder {
    fn message(mut self, text: impl Into<String>) -> Self {
        self.messages.push(text.into());
        self
    }

    /// Sends it.
    ///
    /// # Errors
    ///
    /// The API's.
    #[balanced(balancer = self.pool, deadline = "10s")]
    pub async fn send(mut self, key: String) -> Result<(Self, usize)> {
        self.messages.push(key);
        tokio::task::yield_now().await;
        let size = self.messages.pop().map_or(0, |last| last.len());
        self.seed = self.seed.or(Some(7));
        Ok((self, size))
    }

    /// The lines of an answer.
    ///
    /// # Errors
    ///
    /// When it can't be read.
    #[balanced(balancer = self.pool)]
    pub fn lines<'a, R>(
        &self,
        _key: &str,
        mut reader: R,
        buffer: &'a mut String,
    ) -> Result<impl Iterator<Item = &'a str>>
    where
        R: Read,
    {
        buffer.clear();
        reader.read_to_string(buffer)?;
        Ok(buffer.lines().filter_map(|line| line.strip_prefix("data: ")).take_while(|data| *data != "[DONE]"))
    }
}

// 3. A GitHub client: pages, and endpoints that a macro makes.

/// The client.
#[derive(Debug)]
pub struct GitHub<'c> {
    pool: &'c Balancer,
    pages: &'c BTreeMap<&'static str, (u64, Option<&'static str>)>,
}

impl<'c> GitHub<'c> {
    /// All pages.
    ///
    /// # Errors
    ///
    /// The API's.
    #[balanced(balancer = self.pool, retries = 1, backoff = "1us..2us")]
    async fn paginate<F>(&self, key: &str, first: &'static str, mut on_page: F) -> Result<(u64, &'c Balancer)>
    where
        F: FnMut(u64) + Clone + Send,
    {
        assert!(!key.is_empty());
        let (mut next, mut sum) = (Some(first), 0);
        while let Some(url) = next.take() {
            let &(items, following) = self.pages.get(url).ok_or_else(|| ApiError::status(404))?;
            on_page(items);
            tokio::task::yield_now().await;
            sum += items;
            next = following;
        }
        Ok((sum, self.pool))
    }
}

macro_rules! endpoints {
    ($client:ident { $($(#[$meta:meta])* $vis:vis $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $out:ty = $path:literal;)* }) => {
        impl $client<'_> {
            $(
                $(#[$meta])*
                #[balanced(balancer = self.pool, retries = 2, scope = $path)]
                $vis async fn $name(&self, key: &Key, $($arg: $ty),*) -> Result<$out> {
                    let mut url = String::from($path);
                    $(let _ = write!(url, "/{}", $arg);)*
                    tokio::task::yield_now().await;
                    assert!(!key.expose_secret().is_empty());
                    <$out>::read(&url.len().to_string())
                }
            )*
        }
    };
}

endpoints! {
    GitHub {
        /// An issue.
        ///
        /// # Errors
        ///
        /// The API's.
        pub issue(owner: &str, number: u64) -> u64 = "/repos";
        /// A user.
        ///
        /// # Errors
        ///
        /// The API's.
        pub user(name: String) -> u64 = "/users";
    }
}

// 4. A repository as with sqlx: an executor by a generic trait with a lifetime, rows by HRTB.

/// Runs queries.
pub trait Executor<'e>: Send {
    /// One of them.
    fn fetch(self, query: &'e str) -> impl Future<Output = Result<Vec<u64>>> + Send + 'e;
}

impl<'e> Executor<'e> for &'e [u64] {
    async fn fetch(self, query: &'e str) -> Result<Vec<u64>> {
        tokio::task::yield_now().await;
        Ok(self.iter().copied().filter(|row| *row > query.len() as u64).collect())
    }
}

/// Rows of a table.
#[derive(Debug)]
pub struct Repository<Row> {
    pool: Arc<Balancer>,
    rows: PhantomData<Row>,
}

impl<Row> Repository<Row>
where
    Row: From<u64> + Send + Sync,
    for<'r> &'r Row: Debug,
{
    /// Those that are there.
    ///
    /// # Errors
    ///
    /// The database's.
    #[balanced(balancer = self.pool)]
    pub async fn find<'e, X>(&self, key: Key, executor: X, query: &'e str) -> Result<Option<Row>>
    where
        X: Executor<'e> + 'e,
    {
        drop(key);
        let rows = executor.fetch(query).await?;
        Ok(rows.first().copied().map(Row::from))
    }

    /// In a transaction that the caller has.
    ///
    /// # Errors
    ///
    /// The database's.
    #[balanced(balancer = self.pool, retries = 1)]
    pub async fn insert(&self, key: &Key, transaction: &mut Vec<u64>, row: &Row) -> Result<u64>
    where
        Row: Into<u64> + Clone,
    {
        transaction.push(row.clone().into());
        Ok(key.expose_secret().len() as u64)
    }
}

// 5. Handlers as axum has them: extractors in patterns, a state, an answer that is a type of one's own.

/// The state of an app.
#[derive(Clone, Debug)]
pub struct App {
    pool: Balancer,
    greeting: &'static str,
}

/// An extractor.
#[derive(Clone, Debug)]
pub struct State<T>(pub T);
/// An extractor.
#[derive(Clone, Debug)]
pub struct Path<T>(pub T);
/// An extractor and an answer.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

/// Greets.
///
/// # Errors
///
/// The API's.
#[balanced(balancer = app.pool, retries = 1, affinity = user.as_str())]
pub async fn greet(
    State(app): State<App>,
    Path((user, times)): Path<(String, usize)>,
    key: &Key,
    Json(mut body): Json<HashMap<String, String>>,
) -> Result<Json<String>> {
    tokio::task::yield_now().await;
    body.insert(user, app.greeting.repeat(times));
    body.insert("key".to_owned(), key.masked());
    Ok(Json(body.into_values().collect()))
}

/// What a router takes.
const fn handler<A, B, C, F, Fut>(handler: F) -> F
where
    F: Fn(A, B, C) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Json<String>>> + Send + 'static,
{
    handler
}

// 6. A handler as actix has it: its own attribute puts the function inside of another.

/// The service of a handler.
#[derive(Clone, Copy, Debug)]
pub struct Index;

impl Index {
    fn register(pool: Balancer) -> impl Future<Output = Result<usize>> + Send {
        #[balanced(balancer = pool.get_ref())]
        async fn index(key: Key, pool: Data<Balancer>, query: &'static str) -> Result<usize> {
            drop(key);
            Ok(query.len())
        }
        index(Data(Arc::new(pool)), "q=1")
    }
}

struct Data<T>(Arc<T>);

impl<T> Data<T> {
    fn get_ref(&self) -> &T {
        &self.0
    }
}

// 7. A middleware, generic in what it wraps; and a service as tower has it, with a future of its own.

/// As in tower.
pub trait Service<Request> {
    /// The answer.
    type Response;
    /// The failure.
    type Error;
    /// The answer to come.
    type Future: Future<Output = Result<Self::Response, Self::Error>>;
    /// Whether it is ready.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>>;
    /// The call.
    fn call(&mut self, request: Request) -> Self::Future;
}

/// Adds the key.
#[derive(Clone, Debug)]
pub struct WithKey<S> {
    inner: S,
    pool: Balancer,
}

impl<S> WithKey<S> {
    #[balanced(balancer = self.pool, retries = 2)]
    async fn call_with_key<B>(&mut self, key: Key, request: http::Request<B>) -> Result<S::Response, S::Error>
    where
        S: Service<http::Request<B>, Future: Send> + Send,
        S::Error: egb::StatusCode + From<egb::Error> + Send,
        S::Response: Send,
        B: Clone + Send + Sync,
    {
        let mut request = request;
        request.headers_mut().insert("x-goog-api-key", key.expose_secret().parse().expect("a header"));
        std::future::poll_fn(|context| self.inner.poll_ready(context)).await?;
        self.inner.call(request).await
    }
}

impl<S, B> Service<http::Request<B>> for WithKey<S>
where
    S: Service<http::Request<B>, Future: Send> + Clone + Send + 'static,
    S::Error: egb::StatusCode + From<egb::Error> + Send + 'static,
    S::Response: Send + 'static,
    B: Clone + Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let mut this = self.clone();
        Box::pin(async move { this.call_with_key(request).await })
    }
}

#[derive(Clone, Debug)]
struct Echo(Vec<u16>);

impl<B: Send + 'static> Service<http::Request<B>> for Echo {
    type Response = http::Response<usize>;
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let mut response = http::Response::new(request.headers().len());
        *response.status_mut() =
            self.0.pop().map_or(Ok(http::StatusCode::OK), http::StatusCode::from_u16).unwrap_or_default();
        std::future::ready(Ok(response))
    }
}

// 8. Trait objects: futures boxed by hand, and recursion through them.

/// Does something somewhere.
pub trait Backend: Send + Sync {
    /// It.
    fn complete<'a>(&'a self, prompt: &'a str) -> Pin<Box<dyn Future<Output = Result<String>> + Send + 'a>>;
}

impl Backend for App {
    #[balanced(balancer = self.pool, retries = 1)]
    fn complete<'a>(&'a self, key: Key, prompt: &'a str) -> Pin<Box<dyn Future<Output = Result<String>> + Send + 'a>> {
        Box::pin(async move {
            drop(key);
            match prompt.split_once(' ') {
                Some((first, rest)) => Ok(self.complete(rest).await? + first),
                None => Ok(prompt.to_owned()),
            }
        })
    }
}

#[balanced(balancer = backends.0)]
async fn all(key: &Key, backends: (Balancer, Vec<Box<dyn Backend>>), prompt: &str) -> Result<Vec<String>> {
    assert_eq!(egb::key()?, *key);
    stream::iter(&backends.1).then(|backend| backend.complete(prompt)).try_collect().await
}

// 9. Closures that are passed in, async ones among them.

#[balanced(balancer = pool, retries = 1)]
async fn with<F, Fut, T>(key: Key, pool: &Balancer, call: F) -> Result<T>
where
    F: Fn(Key) -> Fut + Send + Sync + Clone,
    Fut: Future<Output = Result<T>> + Send,
    T: Send,
{
    call(key).await
}

#[balanced(balancer = pool)]
async fn with_async_closure<T>(key: Key, pool: &Balancer, call: impl AsyncFnOnce(&Key) -> Result<T>) -> Result<T> {
    call(&key).await
}

#[balanced(balancer = pool, retries = 1)]
fn visit<'a, V>(key: &Key, pool: &Balancer, text: &'a str, visitor: &mut V) -> Result<&'a str>
where
    V: FnMut(&'a str, &Key) + ?Sized,
{
    visitor(text, key);
    Ok(text)
}

// 10. Extension traits, `where Self: Sized`, constants of a trait, batches by constant generics.

/// For all that has a pool.
pub trait Ask: AsRef<Balancer> {
    /// How often.
    const TIMES: u32;

    /// Asks.
    ///
    /// # Errors
    ///
    /// The API's.
    #[balanced(balancer = self.as_ref(), retries = Self::TIMES)]
    fn ask(&self, key: &Key, question: &str) -> Result<(usize, &Self)>
    where
        Self: Sized,
    {
        if question.is_empty() { Err(ApiError::status(503)) } else { Ok((key.expose_secret().len(), self)) }
    }

    /// Many at once.
    ///
    /// # Errors
    ///
    /// The API's.
    #[balanced(balancer = self.as_ref(), keys = N)]
    fn batch<const N: usize>(&self, keys: [Key; N], questions: [&str; N]) -> Result<[usize; N]> {
        drop(keys);
        Ok(questions.map(str::len))
    }
}

impl AsRef<Balancer> for App {
    fn as_ref(&self) -> &Balancer {
        &self.pool
    }
}

impl Ask for App {
    const TIMES: u32 = 5;
}

// 11. A client that is made from the key.

/// A client ready for calls.
#[derive(Debug)]
pub struct Ready {
    header: String,
}

impl FromKey for Ready {
    fn from_key(key: &Key) -> Self {
        Self { header: format!("Bearer {}", key.expose_secret()) }
    }
}

#[balanced(balancer = pool, retries = 1)]
async fn upload(
    pool: &Balancer,
    #[key] ready: Ready,
    #[allow(unused_variables)] name: &str,
    #[allow(unused_variables, unused_mut)] mut tags: Vec<&str>,
    chunks: impl IntoIterator<Item = &[u8], IntoIter: Send> + Clone + Send,
) -> Result<usize> {
    let mut size = ready.header.len();
    for chunk in chunks {
        size += chunk.len();
        tokio::task::yield_now().await;
    }
    Ok(size)
}

#[balanced(balancer = pool)]
fn ignores(pool: &Balancer, #[allow(unused_variables)] key: Key, #[allow(unused_variables)] name: &str) -> Result<()> {
    Ok(())
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
    let gemini: Gemini = Gemini::new(pool.clone());
    let request = GenerateRequest { parts: vec!["four".into()], temperature: Some(0.5) };
    assert!(request.temperature.is_some());
    assert_eq!(is_send(gemini.generate::<u64>(&request, &mut vec![200, 503])).await?, 4);
    let stream = is_send(gemini.stream(request)).await?;
    assert_eq!(stream.try_collect::<Vec<_>>().await?, ["four"]);
    assert_eq!(counts(&pool), (3, 2, 1));

    let chat = ChatBuilder { pool: pool.clone(), messages: Vec::new(), seed: None };
    let (chat, size) = is_send(chat.message("hello").send()).await?;
    assert_eq!((chat.messages.len(), chat.seed, size), (1, Some(7), 10));
    let (mut buffer, answer) = (String::new(), "data: one\n\n: a comment\ndata: two\ndata: [DONE]\n");
    assert_eq!(chat.lines(answer.as_bytes(), &mut buffer)?.collect::<Vec<_>>(), ["one", "two"]);

    let pages = BTreeMap::from([("/1", (30, Some("/2"))), ("/2", (12, None))]);
    let github = GitHub { pool: &pool, pages: &pages };
    assert_eq!(is_send(github.paginate("/1", |items| assert!(items > 10))).await?.0, 42);
    assert!(github.paginate("/3", |_| ()).await.is_err());
    assert_eq!((is_send(github.issue("rust", 1)).await?, is_send(github.user("me".to_owned())).await?), (13, 9));

    let repository = Repository::<u64> { pool: Arc::new(pool.clone()), rows: PhantomData };
    assert_eq!(repository.find(&[1, 7][..], "four").await?, Some(7));
    let mut transaction = Vec::new();
    assert_eq!(is_send(repository.insert(&mut transaction, &8)).await?, 10);
    assert_eq!(transaction, [8]);

    let app = App { pool: pool.clone(), greeting: "hi" };
    let (state, path) = (State(app.clone()), Path(("me".to_owned(), 2)));
    assert!(is_send(handler(greet)(state, path, Json(HashMap::new()))).await?.0.contains("hihi"));
    assert_eq!(is_send(Index::register(pool.clone())).await?, 3);

    let mut service = WithKey { inner: Echo(vec![429]), pool: pool.clone() };
    let response = is_send(service.call(http::Request::new(()))).await?;
    assert_eq!((response.status(), response.into_body()), (http::StatusCode::TOO_MANY_REQUESTS, 1));

    assert_eq!(app.complete("a b c").await?, "cba");
    let backends = (pool.clone(), vec![Box::new(app.clone()) as Box<dyn Backend>, Box::new(app.clone())]);
    assert_eq!(is_send(all(backends, "a b")).await?, ["ba", "ba"]);

    assert_eq!(is_send(with(&pool, |key| async move { Ok(key.expose_secret().len()) })).await?, 10);
    let mut seen = 0;
    let count = async |key: &Key| {
        seen = key.expose_secret().len();
        tokio::task::yield_now().await;
        Ok(seen)
    };
    assert_eq!(with_async_closure(&pool, count).await?, 10);
    let mut words = Vec::new();
    assert_eq!(visit(&pool, "word", &mut |text, _: &Key| words.push(text))?, "word");
    assert_eq!(words, ["word"]);

    assert!(app.ask("why").is_ok_and(|(size, same)| size == 10 && same.greeting == "hi"));
    assert_eq!(app.batch(["one", "three"])?, [3, 5]);
    assert_eq!(is_send(upload(&pool, "name", vec![], [&b"abc"[..]])).await?, 20);
    ignores(&pool, "name")?;
    Ok(())
}

fn counts(pool: &Balancer) -> (u64, u64, u64) {
    let stats = pool.stats();
    (stats.uses(), stats.successes(), stats.failures())
}
