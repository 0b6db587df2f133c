#[derive(egb::StatusCode)]
enum Errors {
    #[status(transparant)]
    Misspelt(std::io::Error),
    #[status(feild = 0)]
    MisspeltField(u16),
    #[status(9)]
    TooSmall,
    #[status]
    Bare,
    #[status()]
    Empty,
    #[status(404, transparent)]
    Both(std::io::Error),
    #[status(field = code)]
    NoSuchField { status: u16, text: String },
    #[status(transparent)]
    TwoFields(std::io::Error, u16),
    #[status(none)]
    OnAField(#[status(404)] u16),
    #[status(500)]
    TwoWaits(#[retry_after] std::time::Duration, #[retry_after] std::time::Duration),
}

fn main() {
    let _ = Errors::Bare;
}
