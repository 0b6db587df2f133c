use egb::{Error, Key, balanced};

#[balanced(key = 1, retry = 2, timeout = "5s")]
fn call(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    call().unwrap();
}
