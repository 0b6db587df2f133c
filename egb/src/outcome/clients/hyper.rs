//! `hyper`, and the client of `hyper-util`.

use http_body_util::BodyExt;
use hyper::body::Body;

use super::ErrorForKey;
use crate::outcome::http_error::READ_AT_MOST;
use crate::outcome::{HttpError, Reason, StatusCode};

/// A message that can't be sent or understood is not the key's fault; all else is the network's.
impl StatusCode for hyper::Error {
    fn status_code(&self) -> Option<u16> {
        None
    }
    fn reason(&self) -> Option<Reason> {
        Some(if self.is_parse() || self.is_user() { Reason::Request } else { Reason::Network })
    }
}

/// No answer: the network's fault.
impl StatusCode for hyper_util::client::legacy::Error {
    fn status_code(&self) -> Option<u16> {
        None
    }
}

impl<B> ErrorForKey for http::Response<B>
where
    B: Body + Send + Unpin,
    B::Data: Send,
    B::Error: Send,
{
    async fn error_for_key(mut self) -> Result<Self, HttpError> {
        let status = self.status().as_u16();
        if status < 400 {
            return Ok(self);
        }
        let mut read = Vec::new();
        while read.len() < READ_AT_MOST
            && let Some(Ok(frame)) = self.body_mut().frame().await
        {
            if let Ok(mut data) = frame.into_data() {
                while hyper::body::Buf::has_remaining(&data) {
                    let chunk = hyper::body::Buf::chunk(&data);
                    let length = chunk.len();
                    read.extend_from_slice(chunk);
                    hyper::body::Buf::advance(&mut data, length);
                }
            }
        }
        Err(HttpError::from_parts(status, self.headers(), read))
    }
}
