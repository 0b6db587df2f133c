use std::io::Error;

#[derive(egb::StatusCode)]
enum Errors {
    #[status(transparent)]
    Unit,
    #[status(transparent)]
    Empty {},
    #[status(transparent)]
    TwoFields(Error, u16),
    #[status(transparent)]
    TwoNamed { cause: Error, text: String },
    #[status(transparent)]
    TwoMarked(#[source] Error, #[source] Error),
}

fn main() {
    let _ = Errors::Unit;
}
