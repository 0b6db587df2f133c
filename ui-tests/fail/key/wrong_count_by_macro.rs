use egb::{Error, Key, balanced};

macro_rules! call {
    ($name:ident, $keys:literal, $length:expr) => {
        #[balanced(keys = $keys)]
        fn $name(keys: [Key; $length]) -> Result<(), Error> {
            drop(keys);
            Ok(())
        }
    };
}

call!(two, 2, 3);

fn main() {
    two().unwrap();
}
