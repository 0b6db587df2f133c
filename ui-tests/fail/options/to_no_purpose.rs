use egb::{Error, Key, balanced};

#[balanced(backoff = "100ms..2s")]
fn a_pause_before_nothing(_key: Key) -> Result<(), Error> {
    Ok(())
}

#[balanced(deadline = "5s")]
fn nobody_to_stop(_key: Key) -> Result<(), Error> {
    Ok(())
}

#[balanced(affinity = "session")]
fn one_session(_key: Key) -> Result<(), Error> {
    Ok(())
}

#[balanced(scope = "", affinity = 7)]
fn no_scope(_key: Key) -> Result<(), Error> {
    Ok(())
}

#[balanced(scope = 7)]
fn a_number(_key: Key) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let _ = (a_pause_before_nothing(), nobody_to_stop(), one_session(), no_scope(), a_number());
}
