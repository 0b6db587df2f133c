use egb::{Error, Key, balanced};

#[balanced]
fn number(key: u32) -> Result<u32, Error> {
    Ok(key)
}

#[balanced]
fn exclusive(key: &mut Key) -> Result<(), Error> {
    let _ = key;
    Ok(())
}

fn main() {
    number().unwrap();
    exclusive().unwrap();
}
