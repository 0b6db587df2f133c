use egb::{Key, balanced};

#[balanced]
fn nothing(key: Key) {
    drop(key);
}

#[balanced]
fn unit(key: Key) -> () {
    drop(key);
}

#[balanced]
fn option(key: Key) -> Option<usize> {
    Some(key.expose_secret().len())
}

#[balanced]
async fn number(key: Key) -> usize {
    key.expose_secret().len()
}

fn main() {
    nothing();
    unit();
    let _ = option();
    let _ = number();
}
