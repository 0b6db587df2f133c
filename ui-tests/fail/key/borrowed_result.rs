use egb::{Error, Key, balanced};


#[balanced]
fn named<'k>(key: &'k Key) -> Result<&'k str, Error> {
    Ok(key.expose_secret())
}

#[balanced]
async fn held_for_ever(key: &'static str) -> Result<usize, Error> {
    Ok(key.len())
}

fn main() {
    named().unwrap();
    let _ = held_for_ever();
}
