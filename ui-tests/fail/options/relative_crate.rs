use egb::{Error, Key, balanced};

#[balanced(crate = sdk::egb)]
fn call(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    call().unwrap();
}
