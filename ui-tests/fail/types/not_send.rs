use std::rc::Rc;

use egb::{Error, Key, balanced};


#[balanced]
async fn call(key: Key) -> Result<(), Error> {
    let local = Rc::new(key);
    std::future::ready(()).await;
    drop(local);
    Ok(())
}

fn assert_send<T: Send>(_: T) {}

fn main() {
    assert_send(call());
}
