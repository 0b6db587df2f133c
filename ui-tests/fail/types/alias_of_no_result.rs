use egb::{Key, balanced};

type Answer = (u8, u8);

#[balanced]
fn call(key: Key) -> Answer {
    drop(key);
    (1, 2)
}

fn main() {
    call();
}
