use egb::{Error, Key, balanced};


#[balanced]
fn opaque(key: impl Into<String>) -> Result<(), Error> {
    Ok(())
}

#[balanced]
fn generic<K>(key: K) -> Result<K, Error> {
    Ok(key)
}

fn main() {
    opaque().unwrap();
    generic::<Key>().unwrap();
}
