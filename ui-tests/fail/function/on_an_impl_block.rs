use egb::balanced;

struct Client;

#[balanced]
impl Client {
    fn still_there(&self) {}
}

fn main() {
    Client.still_there();
}
