use egb::{Error, Key, balanced};

#[balanced(balancer = 5)]
fn call(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    call().unwrap();
}
