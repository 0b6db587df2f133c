#[derive(egb::StatusCode)]
enum Generic<S, W> {
    #[status(field = 0)]
    Field(S),
    #[status(transparent)]
    Wrapped(W),
}

fn uses<T: egb::StatusCode>(_: T) {}

fn main() {
    uses(Generic::<String, egb::HttpError>::Field(String::new()));
    uses(Generic::<u16, std::fmt::Error>::Field(1));
}
