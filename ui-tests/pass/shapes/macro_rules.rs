#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Key, balanced};

macro_rules! make {
    ($name:ident, $key:ty, $arg:ty, $out:ty, $body:expr) => {
        #[balanced]
        fn $name(key: $key, value: $arg) -> Result<$out, E> {
            let key: $key = key;
            assert_eq!(egb::key()?, Key::from(key));
            let out: $out = $body(value);
            Ok(out)
        }
    };
}

macro_rules! endpoint {
    ($(#[$meta:meta])* $vis:vis async fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty $body:block) => {
        $(#[$meta])*
        #[balanced(retries = 1)]
        $vis async fn $name(_key: Key, $($arg: $ty),*) -> Result<$out, E> $body
    };
}

endpoint! {
    /// Made by a macro that takes a block.
    async fn sum(a: u8, b: &str) -> usize {
        Ok(usize::from(a) + b.len())
    }
}

make!(double, Key, u32, u32, |value| value * 2);
make!(length, &str, &str, usize, str::len);

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(double(2).unwrap(), 4);
    assert_eq!(length("four").unwrap(), 4);
    assert_eq!(block_on(sum(1, "four")).unwrap(), 5);
    assert_eq!(counts(&balancer), (3, 3, 0));
}
