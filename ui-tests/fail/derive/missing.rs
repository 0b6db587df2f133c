#[derive(egb::StatusCode)]
enum Errors {
    #[status(404)]
    Fine,
    First,
    Second(u16),
}

#[derive(egb::StatusCode)]
struct Struct {
    status: u16,
}

/// What is wrong with the type is said once, and not of those who use it.
#[derive(egb::StatusCode)]
enum Generic<S, W> {
    #[status(field = 0)]
    Field(S),
    #[status(transparent)]
    Wrapped(W),
    Third,
}

#[derive(egb::StatusCode)]
#[status(crate = ::egb)]
struct OnlyThePath;

fn uses<T: egb::StatusCode>(_: T) {}

fn main() {
    uses(Errors::Fine);
    uses(Struct { status: 1 });
    uses(Generic::<String, std::fmt::Error>::Third);
    uses(OnlyThePath);
}
