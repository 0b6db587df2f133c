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

fn uses<T: egb::StatusCode>(_: T) {}

fn main() {
    uses(Errors::Fine);
    uses(Struct { status: 1 });
}
