use egb::{Error, Key, Lease, balanced};

#[balanced]
fn lent(lease: &Lease) -> Result<(), Error> {
    let _ = lease.key();
    Ok(())
}

#[balanced]
fn changed(lease: &mut Lease) -> Result<(), Error> {
    let _ = lease.key();
    Ok(())
}

/// Neither is the key's parameter by its name.
#[balanced]
fn of_a_flat(lease: u32) -> Result<u32, Error> {
    Ok(lease)
}

mod flat {
    pub struct Lease<T>(pub T);
}

#[balanced]
fn of_another_kind(lease: flat::Lease<u8>) -> Result<u8, Error> {
    Ok(lease.0)
}

struct Client(Key);

#[balanced]
fn not_made_from_a_key(#[key] client: Client) -> Result<Key, Error> {
    Ok(client.0)
}

impl egb::FromKey for Key2 {
    fn from_key(key: &Key) -> Self {
        Key2(key.clone())
    }
}

struct Key2(Key);

#[balanced(keys = 2)]
fn made_from_one(#[key] client: Key2) -> Result<Key, Error> {
    Ok(client.0)
}

fn main() {
    let _ = (lent(), changed(), of_a_flat(1), of_another_kind(flat::Lease(1)), not_made_from_a_key(), made_from_one());
}
