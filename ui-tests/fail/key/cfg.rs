use egb::{Error, Key, balanced};

#[balanced]
fn call(#[cfg(unix)] key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    call().unwrap();
}
