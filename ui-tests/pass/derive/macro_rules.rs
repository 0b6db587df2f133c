use std::time::Duration;

use egb::{HttpError, Reason, StatusCode};

pub use egb as renamed;

macro_rules! error {
    (
        $(#[$attr:meta])* $vis:vis $name:ident<$param:ident> by $egb:path {
            $fixed:ident = $code:literal as $reason:ident,
            $computed:ident = $expr:expr,
            $field:ident($member:tt: $ty:ty),
            $named:ident { $status:ident: $status_ty:ty, $wait:ident: $wait_ty:ty },
            $transparent:ident($source:ty),
            $optional:ident($inside:ty),
        }
    ) => {
        $(#[$attr])*
        #[derive(StatusCode)]
        #[status(crate = $egb)]
        $vis enum $name<$param> {
            #[status($code, reason = $reason)]
            $fixed,
            #[status($expr)]
            $computed,
            #[status(field = $member)]
            $field($ty),
            #[status(field = $status)]
            $named {
                $status: $status_ty,
                #[retry_after]
                $wait: $wait_ty,
            },
            #[status(transparent)]
            $transparent($source),
            #[status(transparent)]
            $optional($inside),
            /// The macro's own variant, and names of its own.
            #[status(field = __field)]
            Own { __field: u16, field: u16 },
        }
    };
}

error! {
    #[derive(Debug)]
    pub(crate) Captured<T> by crate::renamed {
        Fixed = 400 as InvalidKey,
        Computed = 418,
        Field(0: Option<u16>),
        Named { status: u16, wait: Option<Duration> },
        Transparent(Box<T>),
        Optional(Option<T>),
    }
}

/// `$crate`, as in a macro that another crate exports.
macro_rules! with_crate {
    ($name:ident) => {
        #[derive(StatusCode)]
        #[status(404, crate = $crate::renamed)]
        struct $name;
    };
}

with_crate!(WithCrate);

fn main() {
    type All = Captured<HttpError>;
    assert_eq!((All::Fixed.status_code(), All::Fixed.reason()), (Some(400), Some(Reason::InvalidKey)));
    assert_eq!(All::Computed.status_code(), Some(418));
    assert_eq!(All::Field(Some(404)).status_code(), Some(404));
    let wait = Some(Duration::from_secs(5));
    let named = All::Named { status: 429, wait };
    assert_eq!((named.status_code(), named.retry_after()), (Some(429), wait));
    assert_eq!(All::Transparent(Box::new(HttpError::new(401, ""))).reason(), Some(Reason::InvalidKey));
    assert_eq!(All::Optional(Some(HttpError::new(402, ""))).status_code(), Some(402));
    assert_eq!(All::Own { __field: 403, field: 404 }.status_code(), Some(403));
    assert_eq!(WithCrate.status_code(), Some(404));
}
