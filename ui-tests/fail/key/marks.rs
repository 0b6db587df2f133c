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

fn main() {
    twice().unwrap();
}
