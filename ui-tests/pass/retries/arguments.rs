#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Balancer, Key, balanced};

#[derive(Clone)]
struct Opts {
    name: String,
}

struct Client {
    pool: Balancer,
    attempts: u32,
}

impl Client {
    #[balanced(balancer = self.pool, retries = 2)]
    fn exclusive(&mut self, key: Key, list: &mut Vec<Opts>, opts: Opts, text: &str) -> Result<usize, E> {
        self.attempts += 1;
        list.push(opts);
        if self.attempts < 3 { Err(E::Status(500)) } else { Ok(key.expose_secret().len() + text.len()) }
    }

    #[balanced(balancer = self.pool, retries = 2)]
    async fn exclusive_async(
        &mut self,
        key: Key,
        list: &mut Vec<Opts>,
        Opts { name }: Opts,
        mut tail: String,
    ) -> Result<usize, E> {
        self.attempts += 1;
        tail.push_str(&name);
        list.push(Opts { name: tail });
        tokio::task::yield_now().await;
        if self.attempts < 3 { Err(E::Status(500)) } else { Ok(key.expose_secret().len()) }
    }
}

#[balanced(retries = 1 + 1)]
fn constant_expression<T: Clone + Into<String>>(key: Key, value: T) -> Result<String, E> {
    drop(key);
    Ok(value.into())
}

fn main() {
    let opts = Opts { name: "a".to_owned() };
    let mut list = Vec::new();
    let mut client = Client { pool: pool(), attempts: 0 };
    assert_eq!(client.exclusive(&mut list, opts.clone(), "four").unwrap(), 14);
    assert_eq!((client.attempts, list.len()), (3, 3));

    let mut client = Client { pool: pool(), attempts: 0 };
    block_on(client.exclusive_async(&mut list, opts, "b".to_owned())).unwrap();
    assert_eq!(list.iter().map(|opts| &*opts.name).collect::<Vec<_>>(), ["a", "a", "a", "ba", "ba", "ba"]);
    assert_eq!(counts(&client.pool), (3, 1, 2));
    let _entered = client.pool.enter();
    assert_eq!(constant_expression("x").unwrap(), "x");
}
