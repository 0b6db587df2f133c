use egb::balanced;

#[balanced]
enum Model {
    Flash,
}

fn main() {
    let _ = Model::Flash;
}
