use egb::{Error, Key, balanced};


#[balanced]
fn missing(keys: [Key; 3]) -> Result<(), Error> {
    drop(keys);
    Ok(())
}

/// The length says what was meant: one mistake, not two.
#[balanced(keys = "3")]
fn wrong(keys: [Key; 3]) -> Result<(), Error> {
    drop(keys);
    Ok(())
}

fn main() {
    missing().unwrap();
    wrong().unwrap();
}
