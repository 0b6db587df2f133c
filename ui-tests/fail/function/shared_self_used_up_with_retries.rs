use std::sync::Arc;

use egb::{Balancer, Error, Key, balanced};

struct Client {
    pool: Balancer,
}

impl Client {
    #[balanced(balancer = self.pool, retries = 1)]
    async fn counted(self: Arc<Self>, key: Key) -> Result<Arc<Self>, Error> {
        drop(key);
        Ok(self)
    }

    #[balanced(balancer = self.pool, retries = 1)]
    async fn boxed(self: Box<Self>, key: Key) -> Result<Balancer, Error> {
        drop(key);
        Ok(self.pool)
    }
}

fn main() {
    let _ = (Client::counted, Client::boxed);
}
