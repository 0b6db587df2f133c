#[derive(egb::StatusCode)]
enum Errors {
    #[status(field = 0)]
    NoNumber(String),
    #[status(field = 0)]
    OptionOfNoNumber(Option<u8>),
    #[status(field = status)]
    Float { status: f32 },
}

fn main() {
    let _ = Errors::Float { status: 404.0 };
}
