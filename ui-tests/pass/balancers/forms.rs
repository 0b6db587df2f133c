//! Whatever is a balancer, or dereferences to one.

#[path = "../../common.rs"]
mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use common::{E, block_on, counts, pool};
use egb::{Balancer, Key, balanced};

struct Client {
    own: Balancer,
    shared: Arc<Balancer>,
}

impl Client {
    #[balanced(balancer = if own { &self.own } else { &self.shared })]
    fn branches(&self, key: Key, own: bool) -> Result<(), E> {
        assert_eq!(egb::key()?, key);
        Ok(())
    }

    #[balanced(balancer = match other { Some(other) => other, None => &self.own })]
    fn arms(&self, key: Key, other: Option<&Balancer>) -> Result<(), E> {
        assert_eq!(egb::key()?, key);
        Ok(())
    }

    #[balanced(balancer = *self.shared)]
    fn dereferenced(&self, key: Key) -> Result<(), E> {
        assert_eq!(egb::key()?, key);
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
    block_on(borrowed(Rc::new(RefCell::new(client.own.clone())))).unwrap();
    assert_eq!((counts(&client.own).0, counts(&client.shared).0), (4, 3));
}
