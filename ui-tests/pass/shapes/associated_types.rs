#[path = "../../common.rs"]
mod common;

use common::{E, block_on, counts, pool};
use egb::{Balancer, Key, balanced};

trait Api {
    type Answer;
    type Error: egb::StatusCode + From<egb::Error>;

    fn ask(&self, question: Self::Answer) -> Result<Self::Answer, Self::Error>;

    async fn ask_later<'a>(&'a self, question: &'a str) -> Result<&'a str, Self::Error>;
}

struct Client<P>(Balancer, P);

impl<P: Clone + Send + Sync> Api for Client<P> {
    type Answer = P;
    type Error = E;

    #[balanced(balancer = self.0, retries = 1)]
    fn ask(&self, key: &Key, question: Self::Answer) -> Result<Self::Answer, Self::Error> {
        let _: (&Key, &P) = (key, &self.1);
        Ok(question)
    }

    #[balanced(balancer = self.0, retries = 1)]
    async fn ask_later<'a>(&'a self, key: &Key, question: &'a str) -> Result<&'a str, Self::Error> {
        let _: &Key = key;
        Ok(question)
    }
}

impl<P> Client<P> {
    #[balanced(balancer = self.0)]
    fn fill<'a>(&'a mut self, key: &Key, list: &'a mut Vec<usize>) -> Result<&'a mut Vec<usize>, E>
    where
        P: 'a,
    {
        list.push(key.expose_secret().len());
        Ok(list)
    }
}

impl<P> Drop for Client<P> {
    fn drop(&mut self) {
        assert_eq!(counts(&self.0), (3, 3, 0));
    }
}

fn main() {
    let mut client = Client(pool(), 1);
    assert_eq!(client.ask(2).unwrap(), 2);
    assert_eq!(block_on(client.ask_later("four")).unwrap(), "four");
    assert_eq!(*client.fill(&mut vec![]).unwrap(), [10]);
}
