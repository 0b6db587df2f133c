use egb::{Error, Key, balanced};

const THREE: usize = 3;

#[balanced(keys = 2)]
fn constant(keys: [Key; THREE]) -> Result<(), Error> {
    drop(keys);
    Ok(())
}

fn main() {
    constant().unwrap();
}
