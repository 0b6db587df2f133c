use egb::{Error, Key, balanced};


#[balanced]
fn call(key: Key, text: &str) -> Result<usize, Error> {
    drop(key);
    Ok(text.len())
}

fn main() {
    // Callers have no key to pass.
    call("key", "text").unwrap();
}
