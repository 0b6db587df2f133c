#[derive(egb::StatusCode)]
enum Errors {
    #[status(field)]
    NoValue(u16),
    #[status(field = "status")]
    Quoted { status: u16 },
    #[status(field = stauts)]
    MisspeltField { status: u16, text: String },
    #[status(field = code)]
    OneOther { status: u16 },
    #[status(field = 1)]
    NumberOfNone(u16),
    #[status(field = code)]
    Others { status: u16, text: String },
    #[status(field = r#struct)]
    Raw { r#type: u16, text: String },
    #[status(field = code)]
    NoFields,
    #[status(none)]
    OnAField(#[status(404)] u16),
    #[status(none)]
    OnANamedField {
        #[status]
        r#type: u16,
    },
}

#[derive(egb::StatusCode)]
#[status(none)]
struct Struct {
    #[status(field)]
    status: u16,
}

#[derive(egb::StatusCode)]
enum Waits {
    #[status(500)]
    Two(#[retry_after] std::time::Duration, #[retry_after] std::time::Duration),
    #[status(500)]
    Twice(
        #[retry_after]
        #[retry_after]
        std::time::Duration,
    ),
    #[status(503)]
    Arguments(#[retry_after(1)] std::time::Duration),
    #[status(503)]
    Value(#[retry_after = "seconds"] u64),
}

fn main() {
    let _ = (Errors::NoFields, Struct { status: 404 }, Waits::Value(1));
}
