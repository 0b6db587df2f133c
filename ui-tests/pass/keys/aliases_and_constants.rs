#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Balancer, Key, balanced};

type Secret = Key;
type Pair = [Secret; 2];
type Secrets = Vec<Secret>;
const TWO: usize = 2;

#[balanced]
fn one(key: Secret) -> Result<Secret, E> {
    Ok(key)
}

#[balanced(keys = 2)]
fn pair(keys: Pair) -> Result<usize, E> {
    Ok(keys.len())
}

#[balanced(keys = { TWO } + 1)]
fn block(keys: [Key; 3]) -> Result<usize, E> {
    Ok(keys.len())
}

#[balanced(keys = TWO + 1)]
fn expression(keys: Secrets) -> Result<usize, E> {
    Ok(keys.len())
}

#[balanced(keys = N)]
async fn generic<const N: usize>(keys: [Key; N]) -> Result<usize, E> {
    assert_ne!(keys.first(), keys.last());
    Ok(keys.len())
}

struct Of<const N: usize>(Balancer);

impl<const N: usize> Of<N> {
    const COUNT: usize = 2;

    #[balanced(keys = N, balancer = self.0)]
    fn of_the_impl(&self, keys: &[Key]) -> Result<usize, E> {
        Ok(keys.len() + Self::COUNT)
    }
}

fn main() {
    let balancer = pool();
    let entered = balancer.enter();
    one().unwrap();
    assert_eq!((pair().unwrap(), expression().unwrap(), block().unwrap()), (2, 3, 3));
    drop(entered);
    assert_eq!(block_on(balancer.scope(async { generic::<3>().await })).unwrap(), 3);
    assert_eq!(Of::<3>(balancer.clone()).of_the_impl().unwrap(), 5);
    assert_eq!(counts(&balancer), (15, 15, 0));
}
