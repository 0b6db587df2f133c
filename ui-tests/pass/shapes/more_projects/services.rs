//! What serves others: repositories, handlers, middlewares.

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use egb::{Balancer, Key, balanced};
use futures::future::BoxFuture;

use super::{ApiError, App, Result, is_send};

// A repository as with sqlx: an executor by a generic trait with a lifetime, rows by HRTB.

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

// Handlers as axum has them: extractors in patterns, a state, an answer that is a type of one's own.

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

// A handler as actix has it: its own attribute puts the function inside of another.

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

// A middleware, generic in what it wraps; and a service as tower has it, with a future of its own.

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

pub(super) async fn calls(pool: &Balancer, app: &App) -> Result<()> {
    let repository = Repository::<u64> { pool: Arc::new(pool.clone()), rows: PhantomData };
    assert_eq!(repository.find(&[1, 7][..], "four").await?, Some(7));
    let mut transaction = Vec::new();
    assert_eq!(is_send(repository.insert(&mut transaction, &8)).await?, 10);
    assert_eq!(transaction, [8]);

    let (state, path) = (State(app.clone()), Path(("me".to_owned(), 2)));
    assert!(is_send(handler(greet)(state, path, Json(HashMap::new()))).await?.0.contains("hihi"));
    assert_eq!(is_send(Index::register(pool.clone())).await?, 3);

    let mut service = WithKey { inner: Echo(vec![429]), pool: pool.clone() };
    let response = is_send(service.call(http::Request::new(()))).await?;
    assert_eq!((response.status(), response.into_body()), (http::StatusCode::TOO_MANY_REQUESTS, 1));
    Ok(())
}
