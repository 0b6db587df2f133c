use egb::{Balancer, Error, Key, balanced};

struct Client(Balancer);

impl Client {
    #[balanced(balancer = self.0, retries = 1)]
    fn call(self, key: Key) -> Result<(), Error> {
        drop(key);
        Ok(())
    }
}

fn main() {
    let _ = Client::call;
}
