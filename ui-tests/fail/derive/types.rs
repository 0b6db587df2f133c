#[derive(egb::StatusCode)]
enum Errors {
    #[status(field = 0)]
    NoNumber(String),
    #[status(500)]
    NoDuration(#[retry_after] u64),
    #[status(transparent)]
    NoStatus(std::fmt::Error),
}

#[derive(egb::StatusCode)]
union Union {
    a: u16,
    b: u8,
}

fn main() {
    let _ = Errors::NoDuration(1);
    let _ = Union { a: 1 };
}
