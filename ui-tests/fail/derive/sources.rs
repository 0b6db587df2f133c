#[derive(egb::StatusCode)]
enum Numbers {
    #[status(9)]
    TooSmall,
    #[status(1000)]
    TooLarge,
    #[status(70_000)]
    MuchTooLarge,
    #[status(0)]
    FieldByNumber(u16),
    #[status(1)]
    NoSuchField(u16),
    #[status("404")]
    Text,
    #[status(404..=499)]
    Range,
    #[status(404 | 405)]
    Alternatives,
    #[status(-404)]
    Negative,
    #[status(http::StatusCode::NOT_FOUND)]
    Constant,
    #[status(::http::StatusCode::NOT_FOUND)]
    AbsoluteConstant,
    #[status(404, transparent)]
    Both(std::io::Error),
    #[status(404)]
    #[status(405)]
    TwoAttributes,
}

#[derive(egb::StatusCode)]
enum Words {
    #[status]
    Bare,
    #[status()]
    Empty,
    #[status = 4]
    Equals,
    #[status(transparent = source)]
    Value { source: std::io::Error },
    #[status(none(404))]
    Arguments,
    #[status(404 none)]
    NoComma,
    #[status(@404)]
    Sign,
}

fn main() {
    let _ = (Numbers::Text, Words::Bare);
}
