#[derive(egb::StatusCode)]
#[status(404)]
enum OnAnEnum {
    #[status(404)]
    Variant,
    #[retry_after]
    #[status(503)]
    WaitOnAVariant(std::time::Duration),
    #[status(503)]
    Arguments(#[retry_after(1)] std::time::Duration),
}

#[derive(egb::StatusCode)]
#[status(429)]
#[retry_after]
struct WaitOnAStruct(std::time::Duration);

#[derive(egb::StatusCode)]
#[status(404, crate = sdk::egb)]
struct Relative;

fn main() {
    let _ = (OnAnEnum::Variant, WaitOnAStruct(std::time::Duration::ZERO), Relative);
}
