use std::io::Error;

#[derive(egb::StatusCode)]
enum Errors {
    #[status(404)]
    Fine,
    #[status(transparent)]
    TwoFields(Error, u16),
    #[status(transparent)]
    TwoNamed { cause: Error, text: String },
    #[status(transparent)]
    TwoMarked(#[source] Error, #[source] Error),
}

fn main() {
    let _ = Errors::Fine;
}
