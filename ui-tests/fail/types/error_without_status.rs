use egb::{Key, balanced};

struct MyError;

impl From<egb::Error> for MyError {
    fn from(_: egb::Error) -> Self {
        Self
    }
}

#[balanced]
fn call(key: Key) -> Result<(), MyError> {
    drop(key);
    Ok(())
}

#[balanced]
async fn call_async(key: Key) -> Result<(), MyError> {
    drop(key);
    Ok(())
}

fn main() {
    let _ = call();
    let _ = call_async();
}
