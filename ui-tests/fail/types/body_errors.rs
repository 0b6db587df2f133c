use egb::{Error, Key, balanced};


/// What the compiler says of a body points into the body, and names no private path.
#[balanced(retries = 1)]
async fn question_mark(key: Key, text: &str) -> Result<u8, Error> {
    drop(key);
    Ok(text.parse()?)
}

#[balanced]
fn moved(key: Key) -> Result<(), Error> {
    drop(key);
    drop(key);
    Ok(())
}

#[balanced]
fn no_value(key: Key) -> Result<u8, Error> {
    drop(key);
}

fn main() {
    let _ = (question_mark(""), moved(), no_value());
}
