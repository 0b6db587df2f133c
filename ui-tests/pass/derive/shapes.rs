use std::convert::Infallible;
use std::fmt::Debug;

use egb::{HttpError, StatusCode};

#[derive(Clone, Copy, StatusCode)]
#[repr(u16)]
enum Discriminants {
    #[status(404)]
    NotFound = 404,
    #[status(429)]
    Throttled = 200 + 229,
}

#[allow(non_camel_case_types, reason = "the keyword is the point")]
#[derive(StatusCode)]
enum r#enum {
    #[status(field = r#type)]
    r#match { r#type: u16 },
    #[status(503)]
    r#await(#[retry_after] &'static str),
    #[status(transparent)]
    r#try { r#source: HttpError, r#in: u8 },
}

#[derive(StatusCode)]
enum Configured {
    #[cfg(any())]
    Absent(NoSuchType),
    #[cfg(not(any()))]
    #[cfg_attr(not(any()), status(404))]
    #[cfg_attr(any(), status(405))]
    Present {
        #[cfg(any())]
        #[retry_after]
        absent: NoSuchType,
    },
    #[status(transparent)]
    #[rustfmt::skip]
    OneOfTwo(#[cfg(any())] NoSuchType, #[cfg(not(any()))] HttpError),
}

#[derive(StatusCode)]
enum Never {}

#[derive(StatusCode)]
enum NeverOf<T> {
    #[status(transparent)]
    Wrapped(Infallible, #[source] T),
    #[status(none)]
    Without(std::marker::PhantomData<T>),
}

#[non_exhaustive]
#[derive(StatusCode)]
pub enum NonExhaustive {
    #[non_exhaustive]
    #[status(field = code)]
    Variant { code: u16 },
    #[non_exhaustive]
    #[status(404)]
    Unit,
}

#[derive(StatusCode)]
#[status(field = status)]
struct Lifetimes<'a, 'b: 'a, const N: usize> {
    status: &'a &'b u16,
    #[retry_after]
    wait: Option<&'b str>,
    _rest: [&'a str; N],
}

/// Bounds, defaults, unsized and const parameters.
#[derive(StatusCode)]
enum Generic<'a, T: Debug + ?Sized, E = HttpError, const N: usize = 2>
where
    E: Debug,
{
    #[status(404)]
    Unasked(Box<T>),
    #[status(transparent)]
    Borrowed(&'a E),
    #[status(transparent)]
    Counted(Counted<N>),
}

struct Counted<const N: usize>;

impl StatusCode for Counted<2> {
    fn status_code(&self) -> Option<u16> {
        Some(502)
    }
}

trait Client {
    type Error;
}

struct Http;

impl Client for Http {
    type Error = HttpError;
}

/// The bound is on what is asked: not on `C`.
#[derive(StatusCode)]
#[status(transparent)]
struct Associated<C: Client>(C::Error);

/// A type inside itself is no condition of its own.
#[derive(StatusCode)]
enum Tree<E> {
    #[status(transparent)]
    Leaf(E),
    #[status(transparent)]
    Node(Box<Tree<E>>),
    #[status(transparent)]
    OtherNode(Option<Box<Self>>),
}

/// More private than what has it inside.
#[derive(Debug)]
struct Private<T>(T);

impl<T: StatusCode> StatusCode for Private<T> {
    fn status_code(&self) -> Option<u16> {
        self.0.status_code()
    }
}

#[deny(private_bounds, private_interfaces)]
pub mod public {
    /// With a private field.
    #[derive(Debug, egb::StatusCode)]
    #[status(transparent)]
    pub struct Public<T>(super::Private<T>);

    impl<T> Public<T> {
        pub fn new(inner: T) -> Self {
            Self(super::Private(inner))
        }
    }
}

fn main() {
    for (error, status) in [(Discriminants::NotFound, 404), (Discriminants::Throttled, 429)] {
        assert_eq!((error.status_code(), error as u16), (Some(status), status));
    }
    assert_eq!(r#enum::r#match { r#type: 401 }.status_code(), Some(401));
    assert!(r#enum::r#await("30").retry_after().is_some());
    assert_eq!(r#enum::r#try { r#source: HttpError::new(402, ""), r#in: 0 }.status_code(), Some(402));
    assert_eq!(Configured::Present {}.status_code(), Some(404));
    assert_eq!(Configured::OneOfTwo(HttpError::new(401, "")).status_code(), Some(401));
    let _: fn(&Never) -> Option<u16> = Never::status_code;
    assert_eq!(NeverOf::<Infallible>::Without(std::marker::PhantomData).status_code(), None);
    assert_eq!(NonExhaustive::Variant { code: 403 }.status_code(), Some(403));
    assert_eq!(NonExhaustive::Unit.status_code(), Some(404));
    let lifetimes = Lifetimes { status: &&429, wait: Some("1"), _rest: ["a"] };
    assert_eq!((lifetimes.status_code(), lifetimes.retry_after().map(|wait| wait.as_secs())), (Some(429), Some(1)));
    assert_eq!(Generic::<str>::Unasked("text".into()).status_code(), Some(404));
    assert_eq!(Generic::<str>::Borrowed(&HttpError::new(401, "")).status_code(), Some(401));
    assert_eq!(Generic::<str>::Counted(Counted).status_code(), Some(502));
    assert_eq!(Associated::<Http>(HttpError::new(500, "")).status_code(), Some(500));
    let leaf = Tree::Leaf(HttpError::new(504, ""));
    assert_eq!(Tree::OtherNode(Some(Box::new(Tree::Node(Box::new(leaf))))).status_code(), Some(504));
    assert_eq!(public::Public::new(HttpError::new(401, "")).status_code(), Some(401));

    #[derive(StatusCode)]
    #[status(418)]
    struct Local;
    assert_eq!(Local.status_code(), Some(418));
}
