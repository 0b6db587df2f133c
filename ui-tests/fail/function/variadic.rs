use egb::{Error, Key, balanced};

#[balanced]
unsafe extern "C" fn variadic(key: Key, rest: ...) -> Result<(), Error> {
    Ok(())
}

fn main() {}
