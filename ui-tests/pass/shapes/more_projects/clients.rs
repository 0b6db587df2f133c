//! Clients of APIs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use egb::{Balancer, FromKey, Key, Lease, balanced};
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};

use super::{ApiError, DeserializeOwned, Result, counts, is_send};

// A Gemini client: a generic answer, a builder's request, constants of its own in options.

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

// An OpenAI client: a request that a builder sends, which it uses up; SSE lines read by hand.

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

// A GitHub client: pages, and endpoints that a macro makes.

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

// A client that is made from the key.

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

pub(super) async fn calls(pool: &Balancer) -> Result<()> {
    let gemini: Gemini = Gemini::new(pool.clone());
    let request = GenerateRequest { parts: vec!["four".into()], temperature: Some(0.5) };
    assert!(request.temperature.is_some());
    assert_eq!(is_send(gemini.generate::<u64>(&request, &mut vec![200, 503])).await?, 4);
    let stream = is_send(gemini.stream(request)).await?;
    assert_eq!(stream.try_collect::<Vec<_>>().await?, ["four"]);
    assert_eq!(counts(pool), (3, 2, 1));

    let chat = ChatBuilder { pool: pool.clone(), messages: Vec::new(), seed: None };
    let (chat, size) = is_send(chat.message("hello").send()).await?;
    assert_eq!((chat.messages.len(), chat.seed, size), (1, Some(7), 10));
    let (mut buffer, answer) = (String::new(), "data: one\n\n: a comment\ndata: two\ndata: [DONE]\n");
    assert_eq!(chat.lines(answer.as_bytes(), &mut buffer)?.collect::<Vec<_>>(), ["one", "two"]);

    let pages = BTreeMap::from([("/1", (30, Some("/2"))), ("/2", (12, None))]);
    let github = GitHub { pool, pages: &pages };
    assert_eq!(is_send(github.paginate("/1", |items| assert!(items > 10))).await?.0, 42);
    assert!(github.paginate("/3", |_| ()).await.is_err());
    assert_eq!((is_send(github.issue("rust", 1)).await?, is_send(github.user("me".to_owned())).await?), (13, 9));

    assert_eq!(is_send(upload(pool, "name", vec![], [&b"abc"[..]])).await?, 20);
    ignores(pool, "name")?;
    Ok(())
}
