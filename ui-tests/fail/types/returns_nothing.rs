use egb::{Key, balanced};

#[balanced]
fn nothing(key: Key) {
    drop(key);
}

#[balanced]
async fn unit(key: Key) -> () {
    drop(key);
}

fn main() {
    nothing();
    let _ = unit();
}
