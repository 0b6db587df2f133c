use egb::{Error, Key, balanced};

#[balanced(retries = 1, keys = 1, retries = 2)]
fn call(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    call().unwrap();
}
