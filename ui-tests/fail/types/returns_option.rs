use egb::{Key, balanced};

#[balanced]
fn option(key: Key) -> Option<usize> {
    Some(key.expose_secret().len())
}

#[balanced]
fn by_path(key: Key) -> std::option::Option<Vec<u8>> {
    drop(key);
    None
}

fn main() {
    let _: Option<usize> = option();
    let _: Option<Vec<u8>> = by_path();
}
