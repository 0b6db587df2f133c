use egb::{Key, balanced};

#[balanced]
fn never(key: Key) -> ! {
    panic!("{}", key.masked())
}

fn main() {
    let _: u8 = never();
}
