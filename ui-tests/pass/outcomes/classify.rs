#[path = "../../common.rs"]
mod common;

use common::{counts, pool};
use egb::{Key, balanced};

use egb::{Failure, Verdict};

mod judges {
    use super::{Failure, Verdict};

    pub fn by_text(result: &Result<u8, String>) -> Verdict {
        match result {
            Ok(0) => Verdict::Neutral,
            Ok(_) => Verdict::Success,
            Err(text) if text == "gone" => Failure::status(401).into(),
            Err(_) => Verdict::status(503),
        }
    }
}

/// `String` has no `From<egb::Error>`: an alias of a type that has.
struct Text(String);

impl From<egb::Error> for Text {
    fn from(error: egb::Error) -> Self {
        Self(error.to_string())
    }
}

fn of_text(result: &Result<u8, Text>) -> Verdict {
    judges::by_text(&result.as_ref().map(|value| *value).map_err(|text| text.0.clone()))
}

#[balanced(classify = of_text, retries = 1)]
fn call(key: Key, answer: Result<u8, &str>) -> Result<u8, Text> {
    drop(key);
    answer.map_err(|text| Text(text.to_owned()))
}

fn main() {
    let balancer = pool();
    let _entered = balancer.enter();
    assert!(call(Ok(0)).is_ok());
    assert_eq!(counts(&balancer), (1, 0, 0));
    assert!(call(Ok(1)).is_ok());
    assert!(call(Err("gone")).is_err());
    assert_eq!(counts(&balancer), (4, 1, 2));
    assert_eq!(balancer.stats().disabled(), 2);
}
