use egb::{Error, Key, balanced};

#[balanced]
const fn call(_key: Key) -> Result<(), Error> {
    Ok(())
}

fn main() {
    call().unwrap();
}
