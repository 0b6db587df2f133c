#[derive(egb::StatusCode)]
#[status(crate = ::egb)]
#[status(404)]
enum OnAnEnum {
    Variant,
    #[status(503)]
    #[retry_after]
    WaitOnAVariant(std::time::Duration),
    #[status(404, crate = ::egb)]
    CrateOnAVariant,
}

#[derive(egb::StatusCode)]
#[status(reason = Server)]
enum ReasonOnAnEnum {
    Variant,
}

#[derive(egb::StatusCode)]
#[status(429)]
#[retry_after]
struct WaitOnAStruct(std::time::Duration);

#[derive(egb::StatusCode)]
#[retry_after]
enum WaitOnAnEnum {}

#[derive(egb::StatusCode)]
#[status(404, crate = sdk::egb)]
struct Relative;

#[derive(egb::StatusCode)]
#[status(404, crate = "egb")]
struct Quoted;

#[derive(egb::StatusCode)]
#[status(404, crate)]
struct NoPath;

#[derive(egb::StatusCode)]
#[status(404, crate = ::egb, crate = ::egb)]
struct Twice;

fn main() {
    let _ = (OnAnEnum::Variant, ReasonOnAnEnum::Variant, WaitOnAStruct(std::time::Duration::ZERO));
    let _ = (Relative, Quoted, NoPath, Twice);
}
