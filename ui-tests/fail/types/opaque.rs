use std::fmt::Display;

use egb::{Key, balanced};


struct MyError;

#[balanced]
async fn neither(key: Key) -> Result<impl Display, MyError> {
    drop(key);
    Ok("")
}

#[balanced]
fn no_result(key: Key) -> impl Display {
    drop(key);
    ""
}

fn main() {
    let _ = neither();
    no_result();
}
