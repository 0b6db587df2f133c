//! What the compiler says of a body, it says as if there were no attribute; and what it is told to keep quiet of, it does.
#![deny(unused)]

use egb::{Balancer, Error, Key, balanced};

#[balanced(balancer = pool)]
async fn needless_mut(mut key: Key, pool: &Balancer, mut text: String) -> Result<String, Error> {
    drop(key);
    Ok(text)
}

#[balanced(balancer = pool, retries = 1)]
fn needless_mut_again(mut key: Key, pool: &Balancer, mut text: String, (mut a, b): (u8, u8)) -> Result<String, Error> {
    drop((key, a));
    Ok(text)
}

#[balanced(balancer = pool, hedge = "1s")]
async fn unused(key: Key, pool: &Balancer, text: &str, mut count: u8) -> Result<(), Error> {
    count = 1;
    let unused = ();
    Ok(())
}

#[balanced(balancer = pool, retries = 1)]
fn allowed(
    #[allow(unused_variables, reason = "it is to hold in the body")] key: Key,
    pool: &Balancer,
    #[allow(unused_variables, reason = "it is to hold in the body")] text: &str,
    #[expect(unused_variables, unused_mut)] mut count: u8,
) -> Result<(), Error> {
    Ok(())
}

#[balanced(balancer = pool)]
async fn expected(
    #[expect(unused_variables, unused_mut)] mut key: Key,
    pool: &Balancer,
    #[expect(unused_mut)] mut count: u8,
    #[expect(unused_variables)] text: &str,
) -> Result<u8, Error> {
    Ok(count)
}

#[balanced(balancer = pool)]
async fn allowed_async(#[allow(unused_variables, reason = "it is to hold in the body")] key: &Key, pool: &Balancer) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let pool = Balancer::builder().key("test-key").build().unwrap();
    let _ = (needless_mut(&pool, String::new()), needless_mut_again(&pool, String::new(), (1, 2)));
    let _ = (unused(&pool, "", 0), allowed(&pool, "", 0), expected(&pool, 0, ""), allowed_async(&pool));
}
