use egb::{Error, balanced};

#[balanced]
fn call(text: &str) -> Result<usize, Error> {
    Ok(text.len())
}

fn main() {
    call("").unwrap();
}
