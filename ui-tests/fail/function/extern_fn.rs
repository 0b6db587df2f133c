use egb::{Error, Key, balanced};

#[balanced]
extern "C" fn call(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

/// Without a name it is C's, too.
#[balanced]
extern fn unnamed(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    call().and(unnamed()).unwrap();
}
