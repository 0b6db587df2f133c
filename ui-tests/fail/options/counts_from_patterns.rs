use egb::{Error, Key, balanced};


struct Limits {
    retries: u32,
}

#[balanced(retries = retries)]
fn call(key: Key, Limits { retries }: Limits) -> Result<u32, Error> {
    drop(key);
    Ok(retries)
}

fn main() {
    call(Limits { retries: 1 }).unwrap();
}
