#[derive(egb::StatusCode)]
enum Errors {
    #[status(transparant)]
    Misspelt(std::io::Error),
    #[status(feild = 0)]
    MisspeltToo(u16),
    #[status(400, reson = InvalidKey)]
    MisspeltAfterAnother,
    #[status(code)]
    FieldByName { code: u16 },
    #[status(NOT_FOUND)]
    ConstantByName,
    #[status(401, InvalidKey)]
    ReasonByName,
    #[status(whatever)]
    Unknown,
}

fn main() {
    let _ = Errors::Unknown;
}
