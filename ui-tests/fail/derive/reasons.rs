#[derive(egb::StatusCode)]
enum Unknown {
    #[status(400, reason = InvalidKeys)]
    Misspelt,
}

#[derive(egb::StatusCode)]
enum Errors {
    #[status(400, reason = Request, reason = Server)]
    Twice,
    #[status(reason = Server)]
    NoStatus,
    #[status(404 reason = Server)]
    NoComma,
    #[status(404)]
    #[status(405)]
    TwoAttributes,
    #[status = 4]
    Equals,
    #[status("404")]
    Text,
}

fn main() {
    let _ = (Unknown::Misspelt, Errors::Twice);
}
