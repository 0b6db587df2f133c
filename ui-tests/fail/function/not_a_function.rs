use egb::balanced;

#[balanced]
struct Struct;

#[balanced]
enum Enum {}

struct Client;

#[balanced]
impl Client {
    fn still_there(&self) {}
}

#[balanced]
mod module {
    pub fn still_there() {}
}

fn main() {
    let _ = Struct;
    let _: Option<Enum> = None;
    Client.still_there();
    module::still_there();
}
