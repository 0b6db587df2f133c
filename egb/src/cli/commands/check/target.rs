//! Whom to ask and where the key goes: a provider's list of models, which costs nothing, or an address of the user's.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use clap::ValueEnum;
use http::{HeaderName, HeaderValue, Uri};

use super::Args;
use crate::cli::failure::Failure;
use crate::key::Key;

/// What stands for the key in a header.
const PLACE: &str = "{key}";

/// A provider whose list of models can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Provider {
    /// Google: GET /v1beta/models of generativelanguage.googleapis.com
    Gemini,
    /// OpenAI: GET /v1/models of api.openai.com
    Openai,
    /// Anthropic: GET /v1/models of api.anthropic.com
    Anthropic,
}

impl Provider {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gemini => "gemini",
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
        }
    }

    fn base(self) -> &'static str {
        match self {
            Self::Gemini => "https://generativelanguage.googleapis.com",
            Self::Openai => "https://api.openai.com",
            Self::Anthropic => "https://api.anthropic.com",
        }
    }

    /// As the providers' documents give them: <https://ai.google.dev/api/models>,
    /// <https://platform.openai.com/docs/api-reference/models/list>, <https://platform.claude.com/docs/en/api/models-list>.
    /// One model is enough, where one can say so.
    fn path(self) -> &'static str {
        match self {
            Self::Gemini => "/v1beta/models?pageSize=1",
            Self::Openai => "/v1/models",
            Self::Anthropic => "/v1/models?limit=1",
        }
    }

    /// <https://ai.google.dev/gemini-api/docs/api-key>, <https://platform.openai.com/docs/api-reference/authentication>,
    /// <https://platform.claude.com/docs/en/api/overview>.
    fn headers(self) -> Vec<Header> {
        match self {
            Self::Gemini => vec![Header::new("x-goog-api-key", PLACE)],
            Self::Openai => vec![Header::bearer()],
            Self::Anthropic => {
                vec![Header::new("x-api-key", PLACE), Header::new("anthropic-version", "2023-06-01")]
            }
        }
    }
}

/// A header whose value may have a place for the key.
#[derive(Clone)]
pub(super) struct Header {
    name: HeaderName,
    value: String,
}

impl Header {
    fn new(name: &'static str, value: &str) -> Self {
        Self { name: HeaderName::from_static(name), value: value.to_owned() }
    }

    fn bearer() -> Self {
        Self::new("authorization", "Bearer {key}")
    }

    fn has_place(&self) -> bool {
        self.value.contains(PLACE)
    }
}

/// Without the value, which may hold a secret that was typed.
impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({})", self.name)
    }
}

impl FromStr for Header {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once(':').ok_or("a header is a name, a colon and a value")?;
        let name = name.trim().parse().map_err(|_| "what is before the colon is no name of a header")?;
        let value = value.trim().to_owned();
        HeaderValue::from_str(&value).map_err(|_| "what is after the colon has characters that no header can hold")?;
        Ok(Self { name, value })
    }
}

/// What is asked with each key.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) provider: Option<Provider>,
    pub(super) url: Uri,
    headers: Vec<Header>,
    /// Whether a server was named.
    is_own: bool,
}

impl Target {
    pub(super) fn new(args: &Args) -> Result<Self, Failure> {
        let provider = args.provider;
        let text = match (provider, &args.url) {
            (None, None) => {
                return Err(Failure::usage(
                    "it is not said whom to ask",
                    "name the provider: --provider gemini, openai or anthropic; or an address: --url https://..",
                ));
            }
            (None, Some(url)) => url.clone(),
            (Some(provider), None) => provider.base().to_owned() + provider.path(),
            (Some(provider), Some(base)) => base.trim_end_matches('/').to_owned() + provider.path(),
        };
        if text.contains(PLACE) {
            return Err(Failure::usage(
                "the address has {key} in it, and keys do not go into addresses, which logs hold",
                "say where the key goes with --header 'NAME: {key}'",
            ));
        }
        let unusable =
            || Failure::usage("the address can't be used", "give one like https://api.example.com/v1/models");
        let url: Uri = text.parse().map_err(|_| unusable())?;
        if url.host().is_none() || !matches!(url.scheme_str(), Some("http" | "https")) {
            return Err(unusable());
        }
        let mut headers = args.headers.clone();
        if !headers.iter().any(Header::has_place) {
            if provider.is_none() && !headers.is_empty() {
                let hint = "write {key} where the key goes: --header 'X-Api-Key: {key}'";
                return Err(Failure::usage("no header has a place for the key", hint));
            }
            headers.extend(provider.map_or_else(|| vec![Header::bearer()], Provider::headers));
        }
        Ok(Self { provider, url, headers, is_own: args.url.is_some() })
    }

    /// Whether keys cross a network in the clear.
    pub(super) fn is_overheard(&self) -> bool {
        let host = self.url.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_here = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        self.url.scheme_str() == Some("http") && !is_here
    }

    /// The address without what may be a secret in it: a query, or a user's name and password.
    pub(super) fn shown_url(&self) -> String {
        let text = self.url.to_string();
        if !self.is_own {
            return text;
        }
        let (address, query) = text.split_once('?').map_or((&*text, ""), |(address, _)| (address, "?…"));
        let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
        let authority = rest.split('/').next().unwrap_or_default();
        let user = authority.rfind('@').map_or(0, |at| at + 1);
        format!("{scheme}://{}{}{query}", if user > 0 { "…@" } else { "" }, &rest[user..])
    }

    /// Who answers.
    pub(super) fn server(&self) -> &'static str {
        if self.is_own { "the server" } else { self.provider.map_or("the server", Provider::name) }
    }

    /// The headers of a call with this key. `None` when no header can hold it.
    pub(super) fn headers(&self, key: &Key) -> Option<Vec<(HeaderName, HeaderValue)>> {
        let headers = self.headers.iter().map(|header| {
            let mut value = HeaderValue::from_str(&header.value.replace(PLACE, key.expose_secret())).ok()?;
            value.set_sensitive(true);
            Some((header.name.clone(), value))
        });
        headers.collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        args: Args,
    }

    fn target(arguments: &[&str]) -> Result<Target, Failure> {
        let typed = Typed::try_parse_from([&["check"], arguments].concat()).expect("it can be parsed");
        Target::new(&typed.args)
    }

    fn call(arguments: &[&str]) -> (String, String) {
        let target = target(arguments).unwrap();
        let headers = target.headers(&Key::from("the-key")).unwrap();
        let lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        assert!(headers.iter().all(|(_, value)| value.is_sensitive()));
        (target.url.to_string(), lines.join(", "))
    }

    #[test]
    fn each_provider_is_asked_in_its_way() {
        for (provider, url, headers) in [
            ("gemini", "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1", "x-goog-api-key: the-key"),
            ("openai", "https://api.openai.com/v1/models", "authorization: Bearer the-key"),
            (
                "anthropic",
                "https://api.anthropic.com/v1/models?limit=1",
                "x-api-key: the-key, anthropic-version: 2023-06-01",
            ),
        ] {
            assert_eq!(call(&["--provider", provider]), (url.to_owned(), headers.to_owned()));
        }
        let (url, _) = call(&["--provider", "openai", "--url", "http://localhost:8080/proxy/"]);
        assert_eq!(url, "http://localhost:8080/proxy/v1/models", "a base address");
    }

    #[test]
    fn an_address_of_ones_own_gets_a_bearer_or_the_header_that_is_given() {
        let own = ["--url", "https://api.example.com/me?x=1"];
        let url = own[1].to_owned();
        assert_eq!(call(&own), (url.clone(), "authorization: Bearer the-key".to_owned()));
        let with = |more: &[&str]| call(&[&own[..], more].concat());
        assert_eq!(with(&["--header", "X-Key: Key={key}!"]), (url, "x-key: Key=the-key!".to_owned()));
        let (_, headers) = with(&["--header", "x-key: {key}", "--header", "x-org: mine"]);
        assert_eq!(headers, "x-key: the-key, x-org: mine");
        let (_, headers) = call(&["--provider", "openai", "--header", "OpenAI-Organization: mine"]);
        assert_eq!(headers, "openai-organization: mine, authorization: Bearer the-key");
    }

    #[test]
    fn what_can_not_be_asked_is_refused() {
        assert!(target(&[]).is_err());
        for url in ["", "example.com", "ftp://example.com", "https://", "two words"] {
            assert!(matches!(target(&["--url", url]), Err(Failure::Usage { .. })), "{url}");
        }
        let in_address = target(&["--url", "https://example.com/?key={key}", "--header", "x: {key}"]).unwrap_err();
        assert!(in_address.to_string().contains("{key}"), "{in_address}");
        assert!(target(&["--url", "https://example.com", "--header", "x-key: a-key"]).is_err());
        for header in ["x-key", "x key: {key}", "x-key: line\nbreak"] {
            assert!(header.parse::<Header>().is_err(), "{header}");
        }
    }

    #[test]
    fn what_is_shown_of_an_address_holds_no_secret() {
        let shown = |arguments: &[&str]| target(arguments).unwrap().shown_url();
        assert_eq!(shown(&["--url", "https://me:secret@example.com/a@b?token=secret"]), "https://…@example.com/a@b?…");
        assert_eq!(shown(&["--url", "https://example.com"]), "https://example.com/");
        let own = "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1";
        assert_eq!(shown(&["--provider", "gemini"]), own);
    }

    #[test]
    fn a_key_that_no_header_can_hold_is_not_sent() {
        assert!(target(&["--provider", "gemini"]).unwrap().headers(&Key::from("line\nbreak")).is_none());
    }

    #[test]
    fn keys_in_the_clear_are_noticed_unless_they_stay_on_this_host() {
        let is_overheard = |url| target(&["--url", url]).unwrap().is_overheard();
        assert!(is_overheard("http://api.example.com/"));
        assert!(is_overheard("http://127.evil.invalid/") && is_overheard("http://10.0.0.1/"));
        for fine in ["https://api.example.com/", "http://localhost:1/", "http://127.0.0.1:1/", "http://[::1]:1/"] {
            assert!(!is_overheard(fine), "{fine}");
        }
    }
}
