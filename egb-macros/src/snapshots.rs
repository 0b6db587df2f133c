//! What the macros make of a function or a type, as files for people to read: `snapshots/`.
//!
//! `EGB_SNAPSHOTS=overwrite cargo test -p egb-macros` writes them anew; read the difference.

use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;

use crate::balanced::balanced;
use crate::derive::status_code;

/// Compares an expansion with its file.
fn check(name: &str, expansion: TokenStream) {
    let file: syn::File = syn::parse2(expansion).expect("the expansion is Rust");
    let actual = prettyplease::unparse(&file);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(name).with_extension("rs");
    if std::env::var("EGB_SNAPSHOTS").is_ok_and(|mode| mode == "overwrite") {
        fs::write(&path, actual).expect("the folder can be written");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        actual == expected,
        "{name} expands to something else than {}:\n{actual}\n(EGB_SNAPSHOTS=overwrite writes it anew)",
        path.display()
    );
}

macro_rules! snapshot {
    ($name:ident, [$($options:tt)*], $($item:tt)*) => {
        #[test]
        fn $name() {
            let item = quote::quote!($($item)*);
            check(stringify!($name), balanced(quote::quote!($($options)*), &item));
        }
    };
}

snapshot!(
    sync_function,
    [],
    fn ask(key: &Key, question: &str) -> Result<String, ApiError> {
        Ok(format!("{question} {}", key.expose_secret().len()))
    }
);

snapshot!(
    async_function,
    [],
    pub async fn ask(key: Key, question: &str) -> Result<String, ApiError> {
        send(&key, question).await
    }
);

snapshot!(
    retries,
    [retries = 2],
    async fn ask(key: &Key, question: &str, (a, b): (u8, Opts)) -> Result<String, ApiError> {
        send(key, question, a, b).await
    }
);

snapshot!(
    hedged,
    [hedge = "800ms", retries = 1, balancer = self.pool],
    async fn ask(&self, key: Key, question: &str, mut opts: Opts) -> Result<String, ApiError> {
        opts.seen += 1;
        self.send(key, question, opts).await
    }
);

snapshot!(
    sync_retries,
    [retries = N_2, backoff = "1s", balancer = "gemini"],
    fn ask(&mut self, key: String, mut text: String) -> Result<(), E> {
        text.push_str(&key);
        self.send(text)
    }
);

snapshot!(
    every_option,
    [
        keys = 2,
        balancer = self.pool,
        retries = self.retries,
        backoff = "100ms..2s",
        wait = "5s",
        deadline = "30s",
        scope = model,
        affinity = session,
        classify = judge,
        crate = crate::sdk::egb
    ],
    async fn ask(&self, keys: [Key; 2], model: &str, session: u64) -> Result<String, ApiError> {
        self.send(&keys, model, session).await
    }
);

// The lifetimes that only the key has go with it, and the bounds by them; one that another bound needs stays.
snapshot!(
    lifetimes,
    [],
    fn ask<'gone, 'param, 'place, 'a: 'gone, T: 'gone + Ask<'param>, U>(
        key: &'gone Keys<'param, 'place>,
        text: &'a str,
        (value, other): (T, U),
    ) -> Result<&'a str, E>
    where
        'gone: 'place,
        'a: 'gone + 'place,
        T: 'gone,
        U: 'gone + Ask<'place>,
    {
        Ok(text)
    }
);

snapshot!(
    lease,
    [],
    async fn tokens(lease: Lease, prompt: String) -> Result<impl Stream<Item = Token>, ApiError> {
        let answer = send(lease.key(), prompt).await?;
        Ok(lease.attach(answer))
    }
);

snapshot!(
    after_async_trait,
    [retries = 1, affinity = session],
    fn ask<'life0, 'life1, 'async_trait>(
        &'life0 self,
        key: &'life1 Key,
        session: u64,
    ) -> ::core::pin::Pin<
        Box<dyn ::core::future::Future<Output = Result<String, E>> + ::core::marker::Send + 'async_trait>,
    >
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let __self = self;
            let key = key;
            let session = session;
            __self.send(key).await
        })
    }
);

snapshot!(
    mistakes,
    [retires = 2, keys = 0],
    async fn ask(key: Key) -> Result<(), E> {
        Ok(())
    }
);

snapshot!(
    no_function,
    [],
    struct Client {
        pool: Balancer,
    }
);

#[test]
fn derive() {
    let item = quote::quote! {
        enum ApiError<E> {
            #[status(field = status)]
            Http { status: u16, #[retry_after] wait: Option<Duration> },
            #[status(400, reason = InvalidKey)]
            Rejected,
            #[status(transparent)]
            Other(#[from] E),
            #[status(none)]
            Parse(String),
        }
    };
    check("derive", status_code(item));
}
