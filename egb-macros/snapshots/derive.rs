#[automatically_derived]
impl<E> ::egb::StatusCode for ApiError<E>
where
    E: ::egb::StatusCode,
{
    fn status_code(&self) -> ::core::option::Option<::core::primitive::u16> {
        match self {
            Self::Http { status: __field, .. } => {
                <u16 as ::egb::__private::StatusField>::status(__field)
            }
            Self::Rejected { .. } => ::core::option::Option::Some(400u16),
            Self::Other { 0: __field, .. } => {
                <E as ::egb::StatusCode>::status_code(__field)
            }
            Self::Parse { .. } => ::core::option::Option::None,
        }
    }
    fn retry_after(&self) -> ::core::option::Option<::core::time::Duration> {
        match self {
            Self::Http { wait: __field, .. } => {
                <Option<
                    Duration,
                > as ::egb::__private::RetryAfterField>::retry_after(__field)
            }
            Self::Rejected { .. } => ::core::option::Option::None,
            Self::Other { 0: __field, .. } => {
                <E as ::egb::StatusCode>::retry_after(__field)
            }
            Self::Parse { .. } => ::core::option::Option::None,
        }
    }
    fn reason(&self) -> ::core::option::Option<::egb::Reason> {
        match self {
            Self::Http { .. } => ::core::option::Option::None,
            Self::Rejected { .. } => {
                ::core::option::Option::Some(::egb::Reason::InvalidKey)
            }
            Self::Other { 0: __field, .. } => <E as ::egb::StatusCode>::reason(__field),
            Self::Parse { .. } => ::core::option::Option::None,
        }
    }
}
