use egb::{Error, Key, balanced};

#[balanced(keys, retries(2), balancer =)]
fn some(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

/// As it looks while it is typed.
#[balanced(balancer = self., scope = , wait = "5s" +, affinity = 1..2..3, retries = fn, keys = 0)]
fn half(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

#[balanced(scope, affinity, classify, crate, hedge, backoff)]
fn all(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    let _ = (some(), half(), all());
}
