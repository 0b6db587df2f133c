// What differs between editions: temporaries of a tail expression, captures, unsafe operations in an
// unsafe fn, keywords. Included by the test of one package for each edition before the current one.

use std::cell::{Cell, RefCell};

use egb::{Balancer, Error, Key, balanced};

fn pool() -> Balancer {
    Balancer::builder().keys(["test-key-1", "test-key-2"]).in_memory().build().unwrap()
}

struct Client {
    pool: Balancer,
    list: RefCell<Vec<u8>>,
}

impl Client {
    /// The borrow in the tail lives as long as the edition says, and must not outlive the key.
    #[balanced(balancer = self.pool)]
    fn tail(&self, key: &Key) -> Result<usize, Error> {
        let _: &Key = key;
        Ok(self.list.borrow().len())
    }

    #[balanced(balancer = self.pool, retries = 1)]
    async fn tail_async(&self, key: Key) -> Result<usize, Error> {
        let _key = key;
        Ok(self.list.borrow().len())
    }
}

/// Before edition 2024 the whole body may be unsafe.
#[balanced]
unsafe fn dangerous(key: &str, pointer: *const u8) -> Result<u8, Error> {
    let _: &str = key;
    Ok(*pointer)
}

#[balanced(retries = 1)]
async fn keywords(key: Key, r#async: &str, r#try: u8) -> Result<usize, Error> {
    drop(key);
    Ok(r#async.len() + usize::from(r#try))
}

struct OnDrop<'a>(&'a Cell<u32>);

impl OnDrop<'_> {
    fn count(&self) -> u32 {
        self.0.get()
    }
}

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[balanced]
fn drops_its_temporary(key: Key, count: &Cell<u32>) -> Result<u32, Error> {
    drop(key);
    Ok(OnDrop(count).count())
}

#[test]
fn balanced_functions_work_in_this_edition() {
    let client = Client { pool: pool(), list: RefCell::new(vec![1]) };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(client.tail().unwrap(), 1);
    assert_eq!(runtime.block_on(client.tail_async()).unwrap(), 1);
    let _entered = client.pool.enter();
    assert_eq!(unsafe { dangerous(&7) }.unwrap(), 7);
    assert_eq!(runtime.block_on(keywords("four", 1)).unwrap(), 5);
    let count = Cell::new(0);
    assert_eq!((drops_its_temporary(&count).unwrap(), count.get()), (0, 1));
    assert_eq!(client.pool.stats().successes(), 5);
}
