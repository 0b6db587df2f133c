#[derive(egb::StatusCode)]
enum Unknown {
    #[status(400, reason = InvalidKeys)]
    Misspelt,
}

#[derive(egb::StatusCode)]
enum Errors {
    #[status(400, reason = Request, reason = Server)]
    Twice,
    #[status(400, reason)]
    NoValue,
    #[status(400, reason = "InvalidKey")]
    Quoted,
    #[status(400, reason = egb::Reason::InvalidKey)]
    Path,
    #[status(reason = Server)]
    NoStatus,
    #[status(404 reason = Server)]
    NoComma,
}

fn main() {
    let _ = (Unknown::Misspelt, Errors::Twice);
}
