use egb::{Error, Key, balanced};

#[balanced]
#[balanced]
fn call(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

#[balanced(retries = 1)]
/// Neither by its path.
#[egb::balanced(keys = 2)]
fn by_path(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    call().and(by_path()).unwrap();
}
