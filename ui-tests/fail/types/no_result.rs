use egb::{Key, balanced};

#[balanced]
async fn number(key: Key) -> usize {
    key.expose_secret().len()
}

#[balanced]
fn tuple(key: Key) -> (u8, &'static str) {
    drop(key);
    (1, "")
}

#[balanced]
fn array(key: Key) -> [u8; 3] {
    drop(key);
    [0; 3]
}

fn main() {
    let _ = number();
    let _: (u8, &'static str) = tuple();
    let _: [u8; 3] = array();
}
