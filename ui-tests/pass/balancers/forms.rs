//! Whatever is a balancer, or dereferences to one.

use egb::{Balancer, Key, balanced};

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

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

struct Client {
    own: Balancer,
    shared: Arc<Balancer>,
}

impl Client {
    #[balanced(balancer = if own { &self.own } else { &self.shared })]
    fn branches(&self, key: Key, own: bool) -> Result<(), E> {
        drop(key);
        Ok(())
    }

    #[balanced(balancer = match other { Some(other) => other, None => &self.own })]
    fn arms(&self, key: Key, other: Option<&Balancer>) -> Result<(), E> {
        drop(key);
        Ok(())
    }

    #[balanced(balancer = *self.shared)]
    fn dereferenced(&self, key: Key) -> Result<(), E> {
        drop(key);
        Ok(())
    }
}

/// The lock is not held while the body runs.
#[balanced(balancer = pool.lock().unwrap())]
fn locked(key: Key, pool: &Mutex<Balancer>) -> Result<(), E> {
    drop((key, pool.try_lock().expect("free")));
    Ok(())
}

#[balanced(balancer = pool.borrow())]
async fn borrowed(key: Key, pool: Rc<RefCell<Balancer>>) -> Result<(), E> {
    drop((key, pool.borrow_mut()));
    Ok(())
}

fn main() {
    let client = Client { own: pool(), shared: Arc::new(pool()) };
    client.branches(true).unwrap();
    client.branches(false).unwrap();
    client.arms(Some(&client.shared)).unwrap();
    client.arms(None).unwrap();
    client.dereferenced().unwrap();
    locked(&Mutex::new(client.own.clone())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(borrowed(Rc::new(RefCell::new(client.own.clone())))).unwrap();
    assert_eq!((counts(&client.own).0, counts(&client.shared).0), (4, 3));
}
