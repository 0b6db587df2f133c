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

#[balanced(keys = 3)]
fn text(key: &str) -> Result<usize, Error> {
    Ok(key.len())
}

#[balanced(keys = 4)]
fn string(key: &String) -> Result<usize, Error> {
    Ok(key.len())
}

fn main() {
    text().and(string()).unwrap();
    array().unwrap();
    one().unwrap();
}
