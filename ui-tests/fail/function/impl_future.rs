use std::future::Future;

use egb::{Error, Key, balanced};

#[balanced]
fn call(key: Key) -> impl Future<Output = Result<(), Error>> {
    async move {
        drop(key);
        Ok(())
    }
}

fn main() {
    let _ = call();
}
