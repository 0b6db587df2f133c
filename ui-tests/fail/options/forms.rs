use egb::{Error, Key, balanced};


#[balanced("gemini")]
fn only_a_name(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

#[balanced(2)]
fn only_a_count(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

#[balanced(keys = 1 retries = -2 wiat = "5s")]
fn no_comma(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

#[balanced(keys: 1)]
fn colon(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

#[balanced(balancer = "")]
fn no_name(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

#[balanced(classify = |_| egb::Verdict::Success, crate = "egb")]
fn no_paths(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

/// All mistakes of all kinds, in one build.
#[balanced(krate = ::egb, balanser = "x", key = 2, retires = 2, classfy = x, keys = 0, keys = 2)]
fn many(key: Key, keys: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    let _ = (only_a_name(), only_a_count(), no_comma(), colon(), no_name(), no_paths(), many());
}
