use egb::{Error, Key, Verdict, balanced};


fn of_a_number(_: &u8) -> Verdict {
    Verdict::Success
}

fn to_a_bool(_: &Result<(), Error>) -> bool {
    true
}

#[balanced(classify = of_a_number)]
fn wrong_argument(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

#[balanced(classify = to_a_bool)]
fn wrong_result(key: Key) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    wrong_argument().unwrap();
    wrong_result().unwrap();
}
