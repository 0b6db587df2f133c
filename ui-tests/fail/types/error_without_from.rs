use egb::{Key, balanced};

#[derive(egb::StatusCode)]
#[status(500)]
struct MyError;

#[balanced]
fn call(key: Key) -> Result<(), MyError> {
    drop(key);
    Ok(())
}

fn main() {
    let _ = call();
}
