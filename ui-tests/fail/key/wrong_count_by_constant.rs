use egb::{Error, Key, balanced};


const TWO: usize = 2;

#[balanced(keys = TWO)]
fn one_type_for_two(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

#[balanced(keys = 2)]
fn reference(keys: &[Key; 2]) -> Result<usize, Error> {
    Ok(keys.len())
}

fn main() {
    one_type_for_two().unwrap();
    reference().unwrap();
}
