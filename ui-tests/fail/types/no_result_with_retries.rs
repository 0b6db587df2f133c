use egb::{Key, balanced};

#[balanced(retries = 2, backoff = "1ms")]
async fn option(key: Key, text: &str) -> Option<usize> {
    Some(key.expose_secret().len() + text.len())
}

type Answer = Option<u8>;

#[balanced(retries = 2, deadline = "5s")]
async fn alias(key: Key) -> Answer {
    drop(key);
    None
}

fn main() {
    let _ = (option(""), alias());
}
