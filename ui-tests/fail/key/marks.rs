use egb::{Error, Key, balanced};


#[balanced]
fn twice(#[key] first: Key, #[key] second: Key) -> Result<(), Error> {
    drop(first);
    Ok(())
}

#[balanced]
fn on_a_pattern(#[key] (a, b): (Key, Key)) -> Result<(), Error> {
    drop((a, b));
    Ok(())
}

#[balanced]
fn by_reference(#[key] ref secret: Key) -> Result<(), Error> {
    drop(secret.clone());
    Ok(())
}

#[balanced]
fn in_parts(#[key] secret @ _: Key) -> Result<(), Error> {
    drop(secret);
    Ok(())
}

fn main() {
    twice().unwrap();
}
