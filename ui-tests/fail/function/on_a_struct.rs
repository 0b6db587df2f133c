use egb::balanced;

#[balanced]
struct Client;

fn main() {
    let _ = Client;
}
