use egb::{Error, Key, balanced};

#[balanced]
const fn constant(key: Key) -> Result<(), Error> {
    Ok(())
}

#[balanced]
extern "C" fn foreign(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

#[balanced]
#[balanced]
fn twice(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    let _ = (constant(), foreign(), twice());
}
