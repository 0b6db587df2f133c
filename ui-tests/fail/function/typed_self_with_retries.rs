use egb::{Balancer, Error, Key, balanced};


struct Client(Balancer);

impl Client {
    #[balanced(balancer = self.0, retries = 1)]
    fn typed(self: Self, key: Key) -> Result<Balancer, Error> {
        drop(key);
        Ok(self.0)
    }

    #[balanced(balancer = self.0, retries = 1)]
    async fn mutable(mut self, key: Key) -> Result<Balancer, Error> {
        drop(key);
        self.0 = self.0.clone();
        Ok(self.0)
    }
}

fn main() {
    let _ = (Client::typed, Client::mutable);
}
