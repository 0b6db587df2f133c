#[derive(egb::StatusCode)]
union Status {
    code: u16,
    byte: u8,
}

fn uses<T: egb::StatusCode>(_: T) {}

fn main() {
    uses(Status { code: 404 });
}
