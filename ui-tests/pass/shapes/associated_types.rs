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
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(client.ask_later("four")).unwrap(), "four");
    assert_eq!(*client.fill(&mut vec![]).unwrap(), [10]);
    let _ = E::Status;
}
