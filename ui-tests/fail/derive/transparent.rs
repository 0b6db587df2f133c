#[derive(egb::StatusCode)]
enum Errors {
    #[status(transparent)]
    Unit,
    #[status(transparent)]
    Empty {},
}

fn main() {
    let _ = Errors::Unit;
}
