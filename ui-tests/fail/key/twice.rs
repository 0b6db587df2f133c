use egb::{Error, Key, balanced};

#[balanced]
fn call(key: Key, keys: [Key; 1]) -> Result<(), Error> {
    drop((key, keys));
    Ok(())
}

fn main() {
    call().unwrap();
}
