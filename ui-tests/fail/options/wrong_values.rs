use egb::{Error, Key, balanced};

#[balanced(keys = "two", retries = 1.5, classify = 7)]
fn no_numbers(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

#[balanced(keys = -2, retries = -1)]
fn negative(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

#[balanced(keys = 99999999999, retries = true)]
fn too_large(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    let _ = (no_numbers(), negative(), too_large());
}
