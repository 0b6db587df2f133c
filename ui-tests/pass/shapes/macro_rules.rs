use egb::{balanced, Balancer, Key};

#[derive(Debug, thiserror::Error, egb::StatusCode)]
enum E {
    #[error("status {0}")]
    #[status(field = 0)]
    Status(u16),
    #[error(transparent)]
    #[status(transparent)]
    Balance(#[from] egb::Error),
}

fn pool() -> Balancer {
    Balancer::builder().keys(["test-key-1", "test-key-2", "test-key-3"]).in_memory().build().unwrap()
}

fn counts(balancer: &Balancer) -> (u64, u64, u64) {
    let stats = balancer.stats();
    (stats.calls(), stats.successes(), stats.failures())
}

macro_rules! make {
    ($name:ident, $key:ty, $arg:ty, $out:ty, $body:expr) => {
        #[balanced]
        fn $name(key: $key, value: $arg) -> Result<$out, E> {
            let _: $key = key;
            let out: $out = $body(value);
            Ok(out)
        }
    };
}

make!(double, Key, u32, u32, |value| value * 2);
make!(length, &str, &str, usize, str::len);

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert_eq!(double(2).unwrap(), 4);
    assert_eq!(length("four").unwrap(), 4);
}
