use egb::{Error, Key, balanced};

#[balanced(keys = 0)]
fn call(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    call().unwrap();
}
