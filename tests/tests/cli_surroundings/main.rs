//! The command `egb` where not all is well: no database, a broken one, an older one, names that are none, a closed pipe,
//! no terminal; where it finds the pool; and where one reads how it is used.

use egb::{Balancer, KeyConfig};
use egb_tests::Egb;

mod databases;
mod documentation;
mod names;
mod terminal;

fn egb() -> Egb {
    Egb::new(env!("CARGO_BIN_EXE_egb_command"))
}

fn key(number: usize) -> String {
    format!("AIzaSyFAKE_surroundings_{number:05}_abcdef")
}

/// A pool whose keys are labelled `one`, `two`, `two`.
fn three_keys() -> Egb {
    let egb = egb();
    let labels = ["one", "two", "two"];
    let configs = labels.iter().enumerate().map(|(number, label)| KeyConfig::new(key(number)).label(*label));
    let builder = configs.fold(Balancer::builder().db(egb.db()), egb::BalancerBuilder::key);
    let balancer = builder.build().unwrap();
    let lines = labels.iter().enumerate().map(|(number, label)| format!("{} label={label}", key(number)));
    egb.write("keys.txt", &lines.collect::<Vec<_>>().join("\n"));
    for _ in 0..3 {
        balancer.lease().unwrap().success();
    }
    drop(balancer);
    egb
}
