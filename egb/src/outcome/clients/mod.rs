//! HTTP and gRPC clients: [`StatusCode`](super::StatusCode) for their errors, and the reading of their error answers.

#[cfg(feature = "async-openai")]
mod async_openai;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "tonic")]
mod tonic;
#[cfg(feature = "ureq")]
mod ureq;

#[cfg(any(feature = "reqwest", feature = "hyper"))]
pub use self::asynchronous::ErrorForKey;
#[cfg(feature = "ureq")]
pub use self::ureq::BlockingErrorForKey;

#[cfg(any(feature = "reqwest", feature = "hyper"))]
mod asynchronous {
    use crate::outcome::HttpError;

    /// Turns an error answer into an error that says what the provider says: whether the key is revoked, its quota
    /// spent for a minute or for the day, the request at fault. For responses of `reqwest` and `hyper`.
    ///
    /// ```no_run
    /// # #[cfg(feature = "reqwest")] mod example {
    /// use egb::{ErrorForKey, Key, balanced};
    /// #
    /// # #[derive(Debug, thiserror::Error, egb::StatusCode)]
    /// # enum ApiError {
    /// #     #[error(transparent)] #[status(transparent)] Api(#[from] egb::HttpError),
    /// #     #[error(transparent)] #[status(transparent)] Http(#[from] reqwest::Error),
    /// #     #[error(transparent)] #[status(transparent)] Balance(#[from] egb::Error),
    /// # }
    ///
    /// #[balanced(retries = 2)]
    /// async fn generate(key: Key, client: &reqwest::Client, prompt: String) -> Result<String, ApiError> {
    ///     let url = "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent";
    ///     let request = client.post(url).header("x-goog-api-key", key.expose_secret()).body(prompt);
    ///     Ok(request.send().await?.error_for_key().await?.text().await?)
    /// }
    /// # }
    /// ```
    pub trait ErrorForKey: Sized {
        /// The response itself when its status is below 400. Else its body is read, up to 64 KiB of it; when that breaks off, the
        /// error is made of what there is, the status and the headers at least.
        fn error_for_key(self) -> impl Future<Output = Result<Self, HttpError>> + Send;
    }
}
