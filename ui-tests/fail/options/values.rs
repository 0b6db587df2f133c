use egb::{Error, Key, balanced};

#[balanced(keys = 0, retries = -1)]
fn too_few(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

#[balanced(keys = "two", retries = 1.5, classify = 7)]
fn no_numbers(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

#[balanced(keys, retries(2), balancer =)]
fn missing(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

#[balanced(5)]
fn no_name(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    let _ = (too_few(), no_numbers(), missing(), no_name());
}
