use egb::{Error, Key, balanced};


#[balanced(classify = judges::by_status)]
fn call(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    call().unwrap();
}
