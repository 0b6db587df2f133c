use egb::balanced;

#[balanced]
trait Ask {
    fn still_there(&self) {}
}

#[balanced]
static STATIC: u8 = 1;

#[balanced]
type Alias = u8;

#[balanced]
const CONSTANT: u8 = 1;

#[balanced]
use std::fmt::Debug as StillThere;

#[balanced]
mod module {
    pub fn still_there() {}
}

impl Ask for Alias {}

fn main() {
    STATIC.still_there();
    CONSTANT.still_there();
    module::still_there();
    let _: &dyn StillThere = &1;
}
