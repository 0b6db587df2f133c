use egb::{Error, Key, balanced};

#[balanced(wait = 5, deadline = "soon")]
async fn no_units(_key: Key) -> Result<(), Error> {
    Ok(())
}

#[balanced(wait = "5 parsecs", deadline = 1.5)]
async fn unknown_units(_key: Key) -> Result<(), Error> {
    Ok(())
}

#[balanced(wait = "0s", deadline = "0ms")]
async fn nothing(_key: Key) -> Result<(), Error> {
    Ok(())
}

#[balanced(retries = 1, backoff = "2s..100ms")]
fn backwards(_key: Key) -> Result<(), Error> {
    Ok(())
}

#[balanced(retries = 1, backoff = "100ms-2s", wait = "99999999999999h")]
fn no_range(_key: Key) -> Result<(), Error> {
    Ok(())
}

#[balanced(retries = 1, backoff = 3, wait, deadline)]
async fn bare(_key: Key) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let _ = (no_units(), unknown_units(), nothing(), backwards(), no_range(), bare());
}
