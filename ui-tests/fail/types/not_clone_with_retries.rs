use egb::{Error, Key, balanced};

struct Options;

#[balanced(retries = 1)]
fn call(key: Key, options: Options) -> Result<(), Error> {
    drop((key, options));
    Ok(())
}

fn main() {
    let _ = call(Options);
}
