use std::cell::RefMut;

use egb::{Balancer, Error, Key, balanced};

struct Client {
    pool: Balancer,
    list: Vec<u8>,
}

impl Client {
    #[balanced(balancer = self.pool, retries = 1)]
    fn of_self(&mut self, key: Key) -> Result<&mut u8, Error> {
        drop(key);
        Ok(&mut self.list[0])
    }

    #[balanced(balancer = self.pool, retries = 1)]
    async fn deeper<'a>(&'a mut self, key: Key) -> Result<Option<(&'a mut u8, u8)>, Error> {
        drop(key);
        Ok(self.list.first_mut().map(|first| (first, 1)))
    }

    #[balanced(balancer = self.pool, retries = 1)]
    fn of_its_argument<'a>(&self, key: Key, list: &'a mut Vec<u8>) -> Result<&'a mut u8, Error> {
        drop(key);
        Ok(&mut list[0])
    }

    #[balanced(balancer = self.pool, retries = 1)]
    fn typed(self: &mut Self, key: Key) -> Result<&mut u8, Error> {
        drop(key);
        Ok(&mut self.list[0])
    }
}

#[balanced(retries = 1)]
fn of_an_argument<'a>(key: Key, list: &'a mut Vec<u8>) -> Result<&'a mut u8, Error> {
    drop(key);
    Ok(&mut list[0])
}

#[balanced(retries = 1)]
fn without_a_name(key: Key, list: &mut Vec<u8>) -> Result<&mut u8, Error> {
    drop(key);
    Ok(&mut list[0])
}

/// Not in the type's words, but in the compiler's.
#[balanced(retries = 1)]
fn under_another_name<'a>(key: Key, list: &'a mut RefMut<'_, Vec<u8>>) -> Result<std::slice::IterMut<'a, u8>, Error> {
    drop(key);
    Ok(list.iter_mut())
}

fn main() {
    let _ = (Client::of_self, Client::deeper, Client::of_its_argument, Client::typed, of_an_argument, without_a_name, under_another_name);
}
