use egb::{Balancer, Error, Key, balanced};


struct Client {
    pool: Balancer,
}

impl Client {
    #[balanced(balancer = self.pol)]
    fn misspelt(&self, key: Key) -> Result<(), Error> {
        drop(key);
        Ok(())
    }
}

#[balanced(balancer = name)]
fn name_at_run_time(key: Key, name: &str) -> Result<(), Error> {
    drop(key);
    Ok(())
}

#[balanced(balancer = pool)]
fn perhaps(key: Key, pool: Option<&Balancer>) -> Result<(), Error> {
    drop(key);
    Ok(())
}

fn main() {
    let client = Client { pool: Balancer::builder().key("test-key").build().unwrap() };
    client.misspelt().unwrap();
    name_at_run_time("gemini").unwrap();
    perhaps(Some(&client.pool)).unwrap();
}
