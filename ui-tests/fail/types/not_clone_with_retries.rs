use egb::{Error, Key, balanced};

struct Options;

#[balanced(retries = 1)]
fn call(key: Key, options: Options) -> Result<(), Error> {
    drop((key, options));
    Ok(())
}

#[balanced(retries = 1)]
fn opaque(key: Key, items: impl Iterator<Item = u8>) -> Result<usize, Error> {
    drop(key);
    Ok(items.count())
}

#[balanced(retries = 1)]
async fn generic<T: Send>(key: Key, value: T) -> Result<T, Error> {
    drop(key);
    Ok(value)
}

#[balanced(retries = 1)]
async fn optional(key: Key, list: Option<&mut Vec<Key>>) -> Result<(), Error> {
    list.map(|list| list.push(key));
    Ok(())
}

fn main() {
    let _ = (opaque([1].into_iter()), generic(1), optional(None));
    let _ = call(Options);
}
