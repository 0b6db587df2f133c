#[path = "../../common.rs"]
mod common;

use common::{E, counts, pool};
use egb::{Balancer, Key, balanced};

mod sdk {
    pub use egb as balancing;

    #[macro_export]
    macro_rules! through_the_sdk {
        ($name:ident) => {
            #[$crate::sdk::balancing::balanced(crate = $crate::sdk::balancing)]
            fn $name(key: &$crate::sdk::balancing::Key) -> Result<usize, E> {
                Ok(key.expose_secret().len())
            }
        };
    }
}

macro_rules! make {
    (
        $(#[$meta:meta])* $vis:vis fn $name:ident($($argument:ident: $ty:ty),*) -> $output:ty $body:block
        $count:literal, $balancer:expr, $classify:path
    ) => {
        $(#[$meta])*
        #[balanced(keys = $count, retries = $count, balancer = $balancer, classify = $classify)]
        $vis fn $name(_keys: [Key; $count], $($argument: $ty),*) -> $output $body
    };
    ($name:ident in $balancer:literal with $key:ident: $key_type:ty, $pattern:pat_param) => {
        #[balanced(balancer = $balancer)]
        fn $name($key: $key_type, $pattern: (u8, u8)) -> Result<usize, E> {
            Ok($key.len())
        }
    };
}

mod judge {
    pub fn always_neutral(_: &Result<usize, super::E>) -> egb::Verdict {
        egb::Verdict::Neutral
    }
}

static POOL: std::sync::LazyLock<Balancer> = std::sync::LazyLock::new(pool);

make!(
    /// Every kind of fragment.
    pub(crate) fn fragments(text: &str, more: usize) -> Result<usize, E> {
        Ok(text.len() + more)
    }
    2, POOL, judge::always_neutral
);
make!(by_name in "fragments" with key: &str, (_, _));
through_the_sdk!(reexported);

fn main() {
    assert_eq!(fragments("four", 1).unwrap(), 5);
    assert_eq!(counts(&POOL), (2, 0, 0));
    let _guard = egb::register("fragments", POOL.clone()).unwrap();
    assert_eq!(by_name((1, 2)).unwrap(), 10);
    let _entered = POOL.enter();
    assert_eq!(reexported().unwrap(), 10);
    assert_eq!(counts(&POOL), (4, 2, 0));
}
