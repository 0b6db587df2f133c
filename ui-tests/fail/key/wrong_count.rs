use egb::{Error, Key, balanced};

#[balanced(keys = 2)]
fn array(keys: [Key; 3]) -> Result<(), Error> {
    drop(keys);
    Ok(())
}

#[balanced(keys = 2)]
fn one(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    array().unwrap();
    one().unwrap();
}
