use egb::{Error, Key, balanced};

trait Ask {
    #[balanced]
    fn ask(&self, key: &Key) -> Result<(), Error>;
}

trait AskLater {
    #[balanced(hedge = "1s", deadline = "5s")]
    async fn ask(&self, key: &Key) -> Result<(), Error>;
}

struct Client;

impl Ask for Client {
    #[balanced]
    fn ask(&self, key: &Key) -> Result<(), Error> {
        drop(key.clone());
        Ok(())
    }
}

fn main() {
    Client.ask().unwrap();
}
