use egb::{Error, Key, balanced};

#[balanced]
async fn call(key: Key) -> Result<usize, Error> {
    drop(key);
    Ok("not a number")
}

fn main() {
    let _ = call();
}
