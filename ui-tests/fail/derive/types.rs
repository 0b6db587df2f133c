#[derive(egb::StatusCode)]
enum Errors {
    #[status(500)]
    NoDuration(#[retry_after] u64),
    #[status(500)]
    OptionOfNoDuration(#[retry_after] Option<f64>),
    #[status(transparent)]
    NoStatus(std::fmt::Error),
    #[status(transparent)]
    NoStatusInOption(Option<std::fmt::Error>),
    #[status(transparent)]
    NoStatusInArc(#[source] std::sync::Arc<std::fmt::Error>, u16),
}

fn main() {
    let _ = Errors::NoDuration(1);
}
